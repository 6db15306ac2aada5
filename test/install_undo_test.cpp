// scripts/install and scripts/uninstall where something is in the way, or stops or kills them: what
// was there before stands and serves as it did.

#include <csignal>
#include <cstring>

#include "install.h"

namespace hello {
namespace {

TEST_F(InstallOnDebian, PutsEverythingBackWhenConfigtestFails)
{
    start();
    write_file(etc() / "conf-enabled/broken.conf", "Nonsense on\n");
    const auto before = state();
    const pid_t pid = server();
    const Finished finished = install();
    EXPECT_EQ(finished.status, 1);
    EXPECT_TRUE(contains(finished.err, "Invalid command 'Nonsense'")) << finished.err;
    EXPECT_TRUE(contains(finished.err, "configtest failed")) << finished.err;
    EXPECT_TRUE(contains(finished.err, "Next: ")) << finished.err;
    EXPECT_EQ(differences(before, state()), Strings{});
    EXPECT_EQ(server(), pid);
    EXPECT_FALSE(contains(read_file(root() / "log/error.log"), "graceful"));
}

TEST_F(InstallOnDebian, LeavesAServerAloneThatWouldEndSinceAnotherHasThePort)
{
    start();
    const pid_t pid = server();
    const auto before = state();
    std::optional<Descriptor> somebody(listening_socket(ports_[1]));
    const Finished finished = install();
    // What Debian's ports.conf adds with ssl counts too.
    edit("ports.conf", "Listen 127.0.0.1:" + std::to_string(ports_[1]),
         "Listen " + std::to_string(ports_[1]));
    const auto edited = state();
    const Finished elsewhere =
        run(command("install", {"--https-port", std::to_string(free_ports(1)[0])}));
    somebody.reset();
    for (const Finished& refused : {finished, elsewhere}) {
        EXPECT_EQ(refused.status, 1);
        EXPECT_TRUE(contains(refused.err, "port " + std::to_string(ports_[1]))) << refused.err;
        EXPECT_TRUE(contains(refused.err, "nothing was changed")) << refused.err;
        EXPECT_TRUE(contains(refused.err, "--https-port")) << refused.err;
    }
    EXPECT_EQ(differences(before, edited), Strings{"ports.conf"});
    EXPECT_EQ(differences(edited, state()), Strings{});
    EXPECT_EQ(server(), pid);
    EXPECT_FALSE(contains(read_file(root() / "log/error.log"), "graceful"));
}

/// A port that is taken passes configtest, and httpd ends when it restarts. Nobody sees it
/// beforehand where nothing listens on it yet.
TEST_F(InstallOnDebian, PutsTheServerBackThatEndsAtTheRestart)
{
    expected_ = "AH00019|AH00098|no listening sockets";
    start();
    const auto before = state();
    std::optional<Descriptor> somebody(bound_socket(ports_[1]));
    const Finished finished = install();
    somebody.reset();
    EXPECT_EQ(finished.status, 1);
    EXPECT_TRUE(contains(finished.err, "Address already in use")) << finished.err;
    EXPECT_EQ(differences(before, state()), Strings{});
    // apachectl may be back before its httpd has written its process number.
    EXPECT_TRUE(eventually([this] { return serves(); }));
    EXPECT_TRUE(eventually([this] { return fetch({.url = url("http")}).status != 0; }));
}

TEST_F(InstallOnDebian, PutsEverythingBackWhenTheSiteDoesNotAnswer)
{
    edit("ports.conf", "Listen 127.0.0.1:" + std::to_string(ports_[1]), "# ");
    const auto before = state();
    const Finished finished = install();
    EXPECT_EQ(finished.status, 1);
    EXPECT_TRUE(contains(finished.err, std::to_string(ports_[1]))) << finished.err;
    EXPECT_TRUE(contains(finished.err, "--https-port")) << finished.err;
    EXPECT_EQ(differences(before, state()), Strings{});
    EXPECT_TRUE(eventually([this] { return !serves(); })) << "it was not running before";
}

/// A site that sorts after hello.conf answers for the names that no site has, and goes on so.
TEST_F(InstallOnDebian, TakesNoSitesPlaceAsTheFirstOne)
{
    tool({"a2dissite", "-q", "000-default"});
    const std::string host = "<VirtualHost *:" + std::to_string(ports_[0]) + ">\nDocumentRoot " +
                             (root() / "www").string() + "\n</VirtualHost>\n";
    const Path site = etc() / "sites-enabled/www.conf";
    write_file(site, host);
    start();
    const auto before = state();
    const pid_t pid = server();
    const Finished finished = install();
    EXPECT_EQ(finished.status, 1);
    EXPECT_TRUE(contains(finished.err, site)) << finished.err;
    EXPECT_TRUE(contains(finished.err, "port " + std::to_string(ports_[0]))) << finished.err;
    EXPECT_TRUE(contains(finished.err, "000-www.conf")) << finished.err;
    EXPECT_TRUE(contains(finished.err, "--no-site")) << finished.err;
    EXPECT_EQ(differences(before, state()), Strings{});
    EXPECT_EQ(server(), pid);

    fs::rename(site, etc() / "sites-enabled/000-www.conf");
    const Finished first = install();
    ASSERT_EQ(first.status, 0) << first.err;
    EXPECT_EQ(fetch({.url = url("http"), .headers = {"Host: other"}}).body, "a page");

    // It has been so before.
    fs::rename(etc() / "sites-enabled/000-www.conf", site);
    const Finished again = install();
    EXPECT_EQ(again.status, 0) << again.err;
}

TEST_F(InstallOnDebian, LeavesWhatAPersonHasChanged)
{
    const auto before = state();
    ASSERT_EQ(install().status, 0);
    const Path site = etc() / "sites-available/hello.conf";
    write_file(
        site, replaced(read_file(site), "SetHandler hello", "SetHandler hello\nHelloMessage mine"));
    const std::string mine = read_file(site);
    // An older module of ours gives way all the same.
    const std::string module = read_file(modules() / "mod_hello.so");
    write_file(modules() / "mod_hello.so", module + " ");
    EXPECT_EQ(install().status, 1) << "somebody has replaced the module";
    write_file(modules() / "mod_hello.so", module);

    const Finished again = install();
    ASSERT_EQ(again.status, 0) << again.err;
    EXPECT_TRUE(contains(again.out, site)) << again.out;
    EXPECT_EQ(read_file(site), mine);
    EXPECT_EQ(ask().body, "mine");

    // Something else that is wrong is no need of a module.
    write_file(etc() / "conf-enabled/broken.conf", "Nonsense on\n");
    const Finished broken = uninstall();
    EXPECT_EQ(broken.status, 1);
    EXPECT_TRUE(contains(broken.err, "Invalid command 'Nonsense'")) << broken.err;
    EXPECT_FALSE(contains(broken.err, "stay")) << broken.err;
    fs::remove(etc() / "conf-enabled/broken.conf");

    write_file(modules() / "mod_hello.so", module + " ");
    const Finished removed = uninstall();
    ASSERT_EQ(removed.status, 0) << removed.err;
    EXPECT_TRUE(contains(removed.out, "Left, since somebody has changed it: '" + site.string()))
        << removed.out;
    EXPECT_FALSE(contains(removed.out, "Removed: '" + (modules() / "mod_hello.so").string()))
        << removed.out;
    EXPECT_TRUE(contains(removed.out, "Removed: '" + (etc() / "hello/tls.conf").string()))
        << removed.out;
    EXPECT_EQ(read_file(site), mine);
    EXPECT_EQ(differences(before, state()),
              (Strings{"modules/mod_hello.so", "sites-available/hello.conf"}));
    fs::remove(modules() / "mod_hello.so");

    // What stayed is the person's from now on.
    const auto left = state();
    const Finished refused = install();
    EXPECT_EQ(refused.status, 1);
    EXPECT_TRUE(contains(refused.err, site)) << refused.err;
    EXPECT_EQ(differences(left, state()), Strings{});
}

TEST_F(InstallOnDebian, ReplacesAnOlderModuleOfItsOwn)
{
    ASSERT_EQ(install().status, 0);
    const auto with = state();
    // As if that had been an older one: its manifest says so.
    const Path module = modules() / "mod_hello.so";
    const Path manifest = etc() / "hello/manifest";
    const std::string sum = run({.argv = {"sha256sum", module}}).out.substr(0, 64);
    write_file(module, read_file(module) + " ");
    const std::string older = run({.argv = {"sha256sum", module}}).out.substr(0, 64);
    write_file(manifest, replaced(read_file(manifest), sum, older));
    const Finished again = install();
    ASSERT_EQ(again.status, 0) << again.err;
    EXPECT_EQ(run({.argv = {"sha256sum", module}}).out.substr(0, 64), sum);
    EXPECT_TRUE(contains(read_file(manifest), sum));
    EXPECT_FALSE(contains(read_file(manifest), older));
}

TEST_F(InstallOnDebian, ModulesThatASiteHasComeToNeedStay)
{
    ASSERT_EQ(install().status, 0);
    const std::string host = "<VirtualHost *:" + std::to_string(ports_[1]) +
                             ">\nServerName second\nDocumentRoot " + (root() / "www").string() +
                             "\nSSLEngine on\nSSLCertificateFile " +
                             (root() / "second/server.crt").string() + "\nSSLCertificateKeyFile " +
                             (root() / "second/server.key").string() + "\n</VirtualHost>\n";
    make_cert(root() / "second", {"--name", "second"});
    // Within <IfModule>, configtest does not miss the module.
    for (const bool guarded : {false, true}) {
        write_file(etc() / "sites-enabled/second.conf",
                   guarded ? "<IfModule ssl_module>\n" + host + "</IfModule>\n" : host);
        const Finished removed = uninstall();
        ASSERT_EQ(removed.status, 0) << removed.err;
        EXPECT_TRUE(contains(removed.err, "stay")) << removed.err;
        EXPECT_FALSE(fs::exists(etc() / "hello"));
        const Response response = fetch({.url = url("https", "second"),
                                         .ca = root() / "second/server.crt",
                                         .resolve_to = "127.0.0.1"});
        EXPECT_NE(response.status, 0) << response;
        fs::remove(etc() / "sites-enabled/second.conf");
        tool({"a2dismod", "-q", "ssl", "socache_shmcb"});
        if (!guarded) {
            ASSERT_EQ(install().status, 0);
        }
    }
}

TEST_F(InstallOnDebian, LeavesNothingHalfDoneWhenItIsStopped)
{
    start();
    const auto before = state();
    for (int milliseconds = 100; milliseconds < 1000; milliseconds += 150) {
        Process process(command("install", with_ports({})));
        process.wait(std::chrono::milliseconds(milliseconds));
        process.signal_group(SIGTERM);
        ASSERT_TRUE(eventually([&] { return process.ended(); }));
        if (process.status() == 0) {
            EXPECT_EQ(ask().body, "Hello World!");
            ASSERT_EQ(uninstall().status, 0);
        } else {
            EXPECT_EQ(process.status(), 143) << process.err();
        }
        EXPECT_EQ(differences(before, state()), Strings{}) << milliseconds;
        EXPECT_TRUE(serves()) << milliseconds;
    }
}

/// The clock seldom meets these moments: httpd is about to be restarted, or has just been told to.
TEST_F(InstallOnDebian, LeavesNothingHalfDoneWhenItIsStoppedAtTheRestart)
{
    start();
    const auto before = state();
    const pid_t pid = server();
    const std::string page = fetch({.url = url("http")}).body;
    for (const int moment : {1, 2}) {
        SCOPED_TRACE(moment);
        const Path asked = root() / "asked";
        write_file(asked, "");
        // The script looks at httpd's children right before and after.
        write_program(root() / "stopping/cat",
                      "case $1 in\n/proc/*/children)\n    echo >>'" + asked.string() +
                          "'\n    [ \"$(wc -l <'" + asked.string() + "')\" -ne " +
                          std::to_string(moment) +
                          " ] || kill -TERM 0\n    ;;\nesac\nexec /bin/cat \"$@\"\n");
        Command stopped = command("install", with_ports({}));
        stopped.environment.front().insert(std::strlen("PATH="),
                                           (root() / "stopping").string() + ":");
        await_idleness(ports_);
        const Finished finished = run(stopped);
        EXPECT_EQ(finished.status, 128 + SIGTERM) << finished.err;
        EXPECT_EQ(differences(before, state()), Strings{});
        EXPECT_EQ(server(), pid);
        // It has told httpd to serve as before, and does not wait for that.
        EXPECT_TRUE(eventually(
            [&] { return ask().status == 0 && fetch({.url = url("http")}).body == page; }));
    }
}

/// With half of it back httpd would not start: mod_ssl goes before the site that has SSLEngine.
TEST_F(InstallOnDebian, PutsNothingBackWhileHttpdIsAboutToReadIt)
{
    start();
    const auto before = state();
    const pid_t pid = server();
    const std::string page = fetch({.url = url("http")}).body;
    const std::string proceed = "kill -CONT " + std::to_string(pid);
    const auto first = [&](const char* name) {
        return "mkdir '" + (root() / name).string() + "' 2>/dev/null";
    };
    // httpd stands still from before it is told until a second later, or until half of it is back.
    write_program(root() / "stopping/cat",
                  "case $1 in\n/proc/*/children)\n    if " + first("told") + "; then kill -STOP " +
                      std::to_string(pid) + "\n    elif " + first("stopped") +
                      "; then\n        trap '' TERM\n        setsid sh -c 'sleep 1; " + proceed +
                      "' >/dev/null 2>&1 &\n        kill -TERM 0\n    fi\n    ;;\nesac\n"
                      "exec /bin/cat \"$@\"\n");
    write_program(root() / "stopping/rm",
                  "/bin/rm \"$@\" || exit\ncase \"$*\" in\n*mods-enabled/ssl.load)\n    " +
                      proceed + "\n    sleep 1\n    ;;\nesac\n");
    Command stopped = command("install", with_ports({}));
    stopped.environment.front().insert(std::strlen("PATH="), (root() / "stopping").string() + ":");
    await_idleness(ports_);
    const Finished finished = run(stopped);
    EXPECT_EQ(finished.status, 128 + SIGTERM) << finished.err;
    EXPECT_EQ(differences(before, state()), Strings{});
    EXPECT_EQ(server(), pid);
    EXPECT_TRUE(is_running(pid));
    EXPECT_TRUE(
        eventually([&] { return ask().status == 0 && fetch({.url = url("http")}).body == page; }));
}

/// A run that is killed outright puts nothing back: uninstall does, by what was written down.
TEST_F(InstallOnDebian, UninstallKnowsWhatAKilledRunHasMade)
{
    const Path note = root() / "state/module/disabled_by_admin/ssl";
    write_file(note, "");
    const auto before = state();
    write_program(root() / "killing/apachectl",
                  "[ \"$1\" != configtest ] || kill -KILL \"$PPID\"\nexec '" +
                      (source_dir() / "build/debian/usr/sbin/apachectl").string() + "' \"$@\"\n");
    Command killed = command("install", with_ports({}));
    killed.environment.front().insert(std::strlen("PATH="), (root() / "killing").string() + ":");
    // It leaves its temporary folder too, with a key in it.
    killed.environment.push_back("TMPDIR=" + root().string());
    ASSERT_EQ(run(killed).status, 128 + SIGKILL);
    EXPECT_FALSE(fs::exists(note));
    EXPECT_TRUE(fs::is_symlink(etc() / "mods-enabled/ssl.conf"));
    EXPECT_TRUE(fs::is_symlink(etc() / "sites-enabled/hello.conf"));
    const Finished removed = uninstall();
    EXPECT_EQ(removed.status, 0) << removed.err;
    // a2enmod had removed the note, and this is another one.
    EXPECT_TRUE(fs::exists(note));
    EXPECT_EQ(differences(before, state()), Strings{"state/module/disabled_by_admin/ssl"});
}

}  // namespace
}  // namespace hello
