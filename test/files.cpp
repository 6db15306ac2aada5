#include "files.h"

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "errors.h"

namespace hello {

const Path& source_dir()
{
    static const Path path = HELLO_SOURCE_DIR;
    return path;
}

const Path& module_path()
{
    static const Path path = HELLO_MODULE;
    return path;
}

const Path& httpd_path()
{
    static const Path path = HELLO_HTTPD;
    return path;
}

const Path& httpd_modules()
{
    static const Path path = HELLO_HTTPD_MODULES;
    return path;
}

std::string read_file(const Path& path)
{
    // Many files of /proc are read again and again: not byte by byte.
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return std::move(text).str();
}

void write_file(const Path& path, std::string_view content)
{
    fs::create_directories(path.parent_path());
    const Path temporary = path.string() + ".new";
    std::ofstream out(temporary, std::ios::binary);
    out << content;
    out.close();
    if (!out) {
        throw std::runtime_error("cannot write " + temporary.string());
    }
    fs::permissions(temporary, fs::perms(0644));
    fs::rename(temporary, path);
}

void write_program(const Path& path, std::string_view content)
{
    write_file(path, "#!/bin/sh\n" + std::string(content));
    fs::permissions(path, fs::perms(0755));
}

void copy_checkout(const Path& to)
{
    fs::create_directories(to);
    for (const char* const name : {"CMakeLists.txt", "CMakePresets.json", "mod_hello.cpp",
                                   "README.md", "conf", "scripts", "test"}) {
        fs::copy(source_dir() / name, to / name,
                 fs::copy_options::recursive | fs::copy_options::copy_symlinks);
    }
}

TemporaryFolder::TemporaryFolder()
{
    std::string name = (fs::temp_directory_path() / "hello-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) {
        throw_errno("mkdtemp " + name);
    }
    path_ = name;
    fs::permissions(path_, fs::perms(0755));
}

TemporaryFolder::~TemporaryFolder()
{
    std::error_code ignored;
    fs::remove_all(path_, ignored);
}

}  // namespace hello
