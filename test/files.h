// The checkout and what was built from it, and files of a test's own.

#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace hello {

namespace fs = std::filesystem;
using Path = fs::path;

/// The checkout, and what CMake found or built.
const Path& source_dir();
const Path& module_path();
const Path& httpd_path();
const Path& httpd_modules();

std::string read_file(const Path& path);

/// Writes a file that everybody may read, through a temporary name and a rename; makes
/// the folders above it.
void write_file(const Path& path, std::string_view content);

/// Writes a program for sh that everybody may run.
void write_program(const Path& path, std::string_view content);

/// Makes a checkout of its own, in which nothing has been built.
void copy_checkout(const Path& to);

/// A folder that lives as long as this object and that everybody may enter.
class TemporaryFolder {
  public:
    TemporaryFolder();
    ~TemporaryFolder();
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    const Path& path() const { return path_; }

  private:
    Path path_;
};

}  // namespace hello
