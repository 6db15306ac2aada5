// What CMake and CPack make of the module: the build without tests, the installed tree, and the
// Debian package.

#include <map>

#include "httpd.h"

namespace hello {
namespace {

// As after setup --run, which brings nothing of the tests'.
TEST(CMakeConfigure, SaysInOneLineThatThereIsNothingToTestWith)
{
    const TemporaryFolder folder;
    const Finished configured = run(
        {.argv = {"cmake", "-S", source_dir(), "-B", folder.path() / "build", "--preset", "release",
                  "-DCMAKE_FIND_ROOT_PATH=/nowhere", "-DCMAKE_FIND_ROOT_PATH_MODE_PACKAGE=ONLY"}});
    EXPECT_EQ(configured.status, 0);
    EXPECT_EQ(configured.err, "");
    EXPECT_TRUE(contains(configured.out, "-- The tests are not built: ")) << configured.out;
    EXPECT_TRUE(contains(configured.out, "(scripts/setup installs them)\n")) << configured.out;
}

TEST(CMakeInstall, PutsAllBelowDestdirAndPrefix)
{
    const TemporaryFolder folder;
    const Finished installed =
        run({.argv = {"cmake", "--install", module_path().parent_path(), "--prefix", "/opt/x"},
             .environment = {"DESTDIR=" + folder.path().string()}});
    ASSERT_EQ(installed.status, 0) << installed.err;
    std::map<std::string, Path> found;
    for (const auto& entry : fs::recursive_directory_iterator(folder.path())) {
        if (entry.is_regular_file()) {
            found[entry.path().filename()] = entry.path();
            EXPECT_EQ(entry.status().permissions(), fs::perms(0644)) << entry.path();
            EXPECT_TRUE(entry.path().string().starts_with(folder.path().string() + "/opt/x/"))
                << entry.path();
        }
    }
    EXPECT_EQ(read_file(found["mod_hello.so"]), read_file(module_path()));
    EXPECT_EQ(found["mod_hello.so"].parent_path().filename(), "modules");
    for (const char* const name : {"README.md", "hello.conf", "tls.conf", "health.conf"}) {
        EXPECT_TRUE(found.contains(name)) << name;
    }
}

TEST(DebianPackage, HasWhatDebianAsksFor)
{
    if (run({.argv = {"sh", "-c", "command -v dpkg-deb dpkg-shlibdeps"}}).status != 0) {
        GTEST_SKIP() << "dpkg-deb and dpkg-shlibdeps are not there";
    }
    const TemporaryFolder folder;
    const Finished packed =
        run({.argv = {"cpack", "-G", "DEB", "--config",
                      module_path().parent_path() / "CPackConfig.cmake", "-B", folder.path()}});
    ASSERT_EQ(packed.status, 0) << packed.out << packed.err;
    std::string package;
    for (const auto& entry : fs::directory_iterator(folder.path())) {
        if (entry.path().extension() == ".deb") {
            package = entry.path();
        }
    }
    const std::string control = run({.argv = {"dpkg-deb", "--field", package}}).out;
    const std::string magic = run({.argv = {httpd_path(), "-V"}}).out;
    const std::string number = first_match(magic, "Magic Number: ([0-9]+):");
    ASSERT_NE(number, "") << magic;
    EXPECT_TRUE(contains(control, "Package: libapache2-mod-hello\n")) << control;
    EXPECT_TRUE(contains(control, "apache2-api-" + number + ",")) << control;
    EXPECT_TRUE(contains(control, "libstdc++6")) << control;

    const std::string content = run({.argv = {"dpkg-deb", "--contents", package}}).out;
    const std::string doc = "./usr/share/doc/libapache2-mod-hello/";
    for (const std::string& path :
         {"." + (httpd_modules() / "mod_hello.so").string(), doc + "README.md",
          doc + "examples/hello.conf", doc + "examples/health.conf",
          std::string("./etc/apache2/mods-available/hello.load")}) {
        EXPECT_TRUE(finds(content, "-rw-r--r-- root/root .* " + replaced(path, "+", ".") + "\n"))
            << path << content;
    }
    ASSERT_EQ(run({.argv = {"dpkg-deb", "-R", package, folder.path() / "x"}}).status, 0);
    for (const char* const name : {"postinst", "prerm", "postrm"}) {
        const std::string script = read_file(folder.path() / "x/DEBIAN" / name);
        EXPECT_TRUE(contains(script, "apache2-maintscript-helper")) << name;
    }
    EXPECT_EQ(read_file(folder.path() / "x/DEBIAN/conffiles"),
              "/etc/apache2/mods-available/hello.load\n");
    EXPECT_EQ(read_file(folder.path() / "x/etc/apache2/mods-available/hello.load"),
              "LoadModule hello_module " + (httpd_modules() / "mod_hello.so").string() + "\n");
}

}  // namespace
}  // namespace hello
