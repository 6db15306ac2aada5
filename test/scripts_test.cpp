// What all scripts have in common: help, how they refuse, and what they leave behind when they are
// stopped. What one of them makes is in a file of its own.

#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "scripts.h"

namespace hello {
namespace {

TEST(Scripts, EachHasHelpAndSaysWhatIsWrongWithAnOption)
{
    for (const char* const name : {"setup", "make-cert", "make-client-cert", "run", "trust-cert",
                                   "install", "uninstall", "soak", "bench", "cluster"}) {
        const Finished help = run({.argv = {script(name), "--help"}});
        EXPECT_EQ(help.status, 0) << name;
        EXPECT_NE(help.out.find("Usage: " + std::string(name)), std::string::npos) << help.out;
        EXPECT_EQ(help.err, "");
        const Finished wrong = run({.argv = {script(name), "--nmae"}});
        EXPECT_EQ(wrong.status, 2) << name;
        EXPECT_NE(wrong.err.find("--nmae"), std::string::npos) << wrong.err;
        EXPECT_EQ(wrong.out, "");
    }
    EXPECT_EQ(run({.argv = {script("test"), "--help"}}).status, 0);
    const std::string scan = source_dir() / "test/scan.sh";
    EXPECT_EQ(run({.argv = {scan, "--help"}}).status, 0);
    EXPECT_EQ(run({.argv = {scan, "--reprots"}}).status, 2);
    // ctest would take no notice of it.
    const Finished mistyped = run({.argv = {script("test"), "--prest", "tsan"}});
    EXPECT_EQ(mistyped.status, 2);
    EXPECT_NE(mistyped.err.find("--prest"), std::string::npos) << mistyped.err;
    EXPECT_EQ(mistyped.out, "");
    EXPECT_EQ(run({.argv = {source_dir() / "test/fresh-machine.sh", "--help"}}).status, 0);
    EXPECT_EQ(run({.argv = {source_dir() / "test/fresh-machine.sh", "instal"}}).status, 2);
    const std::string strangers = source_dir() / "test/strangers.sh";
    EXPECT_EQ(run({.argv = {strangers, "--help"}}).status, 0);
    EXPECT_EQ(run({.argv = {strangers, "header"}}).status, 2);
    EXPECT_EQ(run({.argv = {strangers, "--seconds", "4"}}).status, 2);
    EXPECT_EQ(run({.argv = {strangers, "--of", "nginx"}}).status, 2);
    EXPECT_EQ(run({.argv = {script("soak"), "--restarts", "0"}}).status, 2);
    EXPECT_EQ(run({.argv = {script("soak"), "--seconds", "5"}}).status, 2);
    EXPECT_EQ(run({.argv = {script("soak"), "--cluster", "--seconds", "0"}}).status, 2);
    const Finished wrong = run({.argv = {script("test"), "--preset", "relaese"}});
    EXPECT_EQ(wrong.status, 2);
    EXPECT_NE(wrong.err.find("relaese"), std::string::npos) << wrong.err;
}

TEST(Scripts, RunByALinkAndByAnotherShell)
{
    const TemporaryFolder folder;
    for (const char* const name : {"make-cert", "make-client-cert", "run", "install", "uninstall",
                                   "setup", "test", "trust-cert", "soak", "cluster"}) {
        const Path link = folder.path() / (std::string("my-") + name);
        fs::create_symlink(script(name), link);
        for (const Strings& argv :
             {Strings{link, "--help"}, Strings{"sh", script(name), "--help"}}) {
            const Finished finished = run({.argv = argv});
            EXPECT_EQ(finished.status, 0) << argv[0] << finished.err;
            EXPECT_EQ(finished.err, "") << argv[0];
        }
    }
}

// It would first install what is missing.
TEST(Scripts, ArgumentsAreLookedAtBeforeAnythingIsDone)
{
    const TemporaryFolder folder;
    const std::string path = "PATH=" + path_without("cmake", folder.path() / "bin");
    for (const Strings& options :
         {Strings{"--nope"}, Strings{"--preset", "relaese"}, Strings{"-R", "Run", "--nope=1"}}) {
        Command command{.argv = {script("test")}, .environment = {path}};
        command.argv.insert(command.argv.end(), options.begin(), options.end());
        const Finished finished = run(command);
        EXPECT_EQ(finished.status, 2) << options[0] << finished.err;
        EXPECT_NE(finished.err.find("expected"), std::string::npos) << finished.err;
    }
}

// What a run has left in TMPDIR that was killed outright, and not what is in use.
TEST(Scripts, RemoveWhatDeadRunsHaveLeft)
{
    const TemporaryFolder folder;
    const Path dead = folder.path() / "mod_hello.run.aaaaaa";
    const Path alive = folder.path() / "mod_hello.run.bbbbbb";
    const Path others = folder.path() / "mod_hello.cccccc";
    for (const Path& path : {dead, alive, others}) {
        write_file(path / "password", "secret");
        ASSERT_EQ(run({.argv = {"touch", "-d", "10 minutes ago", path}}).status, 0);
    }
    Process holder({.argv = {"flock", alive, "sh", "-c", "echo held; exec sleep 60"}});
    ASSERT_TRUE(eventually([&] { return holder.out() == "held\n"; }));
    run({.argv = {script("trust-cert"), "--remove", "--store", "nss", "nothing.crt"},
         .environment = {"TMPDIR=" + folder.path().string(), "HOME=" + folder.path().string()}});
    EXPECT_FALSE(fs::exists(dead));
    EXPECT_TRUE(fs::exists(alive / "password"));
    EXPECT_TRUE(fs::exists(others / "password"));
    EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 2);
}

TEST(Scripts, EachNamesTheToolThatIsMissing)
{
    const TemporaryFolder folder;
    const Path made = folder.path() / "made";
    const struct {
        Strings argv;
        const char* tool;
    } cases[] = {
        {{script("make-cert"), "--dir", made}, "openssl"},
        {{script("make-client-cert"), "--dir", made, "--name", "Ada"}, "openssl"},
        {{script("run"), "--cert-dir", made}, "curl"},
        {{script("test"), "-N"}, "ctest"},
    };
    for (const auto& [argv, tool] : cases) {
        const Finished finished = run(
            {.argv = argv, .environment = {"PATH=" + path_without(tool, folder.path() / "bin")}});
        EXPECT_EQ(finished.status, 1) << tool << finished.out;
        EXPECT_NE(finished.err.find(std::string(tool) + " is not on PATH"), std::string::npos)
            << finished.err;
        EXPECT_NE(finished.err.find("Next: run '"), std::string::npos) << finished.err;
        EXPECT_FALSE(fs::exists(made));
    }
}

// As somebody who is not root and who may neither write nor read what he names.
TEST(Scripts, EachNamesWhatItMayNotUse)
{
    const TemporaryFolder folder;
    const Path& root = folder.path();
    for (const auto& part : fs::directory_iterator(script("lib"))) {
        write_file(root / "scripts/lib" / part.path().filename(), read_file(part.path()));
    }
    for (const char* const name : {"make-cert", "make-client-cert", "trust-cert"}) {
        write_file(root / "scripts" / name, read_file(script(name)));
        fs::permissions(root / "scripts" / name, fs::perms(0755));
    }
    make_cert(root / "closed");
    fs::permissions(root / "closed/server.crt", fs::perms::none);
    fs::permissions(root / "closed", fs::perms(0555));
    Strings user;
    if (::getuid() == 0) {
        user = {"setpriv", "--reuid=www-data", "--regid=www-data", "--clear-groups"};
    }
    const Path certificate = root / "closed/server.crt";
    const struct {
        Strings command;
        std::string shown;
    } cases[] = {
        {{"make-cert", "--dir", root / "closed"}, "cannot write to the folder"},
        {{"make-cert", "--dir", root / "closed/new"}, "cannot make the folder"},
        {{"make-client-cert", "--dir", root / "closed", "--name", "x"},
         "cannot write to the folder"},
        {{"trust-cert", "--store", "nss", certificate}, "cannot read the certificate"},
    };
    for (const auto& [command, shown] : cases) {
        Command denied{.argv = user, .environment = {"HOME=" + root.string()}};
        denied.argv.push_back(root / "scripts" / command.front());
        denied.argv.insert(denied.argv.end(), command.begin() + 1, command.end());
        const Finished finished = run(denied);
        EXPECT_EQ(finished.status, 1) << shown << finished.out;
        EXPECT_NE(finished.err.find(shown), std::string::npos) << finished.err;
        EXPECT_NE(finished.err.find((root / "closed").string()), std::string::npos) << finished.err;
        EXPECT_NE(finished.err.find("Next: "), std::string::npos) << finished.err;
        EXPECT_EQ(std::distance(fs::directory_iterator(root / "closed"), {}), 3);
        EXPECT_FALSE(fs::exists(root / ".pki"));
    }
    fs::permissions(root / "closed", fs::perms(0755));
}

// A terminal's Ctrl-C reaches the tool too, which may have made a folder and not yet said so.
TEST(Scripts, EachRemovesATemporaryFolderWhoseMakerWasStopped)
{
    const TemporaryFolder folder;
    const Path& root = folder.path();
    make_cert(root / "tls");
    fs::create_directories(root / "temporary");
    fs::create_directories(root / "made");
    const std::vector<int> ports = free_ports(2);
    const Strings scripts[] = {
        {script("make-cert"), "--dir", root / "made"},
        {script("make-client-cert"), "--dir", root / "made", "--name", "Ada", "--no-passphrase"},
        {script("run"), "--cert-dir", root / "tls", "--http-port", std::to_string(ports[0]),
         "--https-port", std::to_string(ports[1])},
        {script("trust-cert"), "--store", "nss", root / "tls/server.crt"},
    };
    for (const std::string tool : {"mktemp", "mkdir"}) {
        const Path stopped = root / tool / tool;
        write_program(stopped, "PATH=${PATH#*:} " + tool +
                                   " \"$@\" >/dev/null\ncase $0$* in *mktemp*|*mod_hello.*) "
                                   "kill -TERM 0 ;; esac\n");
        for (const Strings& argv : scripts) {
            SCOPED_TRACE(tool + " of " + argv.front());
            const Finished finished =
                run({.argv = argv,
                     .environment = {
                         "TMPDIR=" + (root / "temporary").string(), "HOME=" + root.string(),
                         "PATH=" + stopped.parent_path().string() + ":" + std::getenv("PATH")}});
            EXPECT_EQ(finished.status, 128 + SIGTERM) << finished.out << finished.err;
            EXPECT_TRUE(fs::is_empty(root / "temporary"));
            EXPECT_TRUE(fs::is_empty(root / "made"));
        }
    }
}

TEST(Scripts, SetupIsSilentWhenAllIsThere)
{
    const Finished finished = run({.argv = {script("setup")}});
    EXPECT_EQ(finished.status, 0) << finished.err;
    EXPECT_EQ(finished.out + finished.err, "");
}

/// What setup --bench runs apt-get in, on a tree that is not this machine's.
TEST(Scripts, SetupGivesTheAdministratorsPolicyBack)
{
    const TemporaryFolder folder;
    const Path& root = folder.path();
    const std::string setup = read_file(script("setup"));
    const std::string begin = "\nquiet_install='\n";
    const auto from = setup.find(begin);
    ASSERT_NE(from, std::string::npos);
    std::string program = setup.substr(from + begin.size());
    program.resize(program.find("\n'\n"));
    program = substituted(program, "/(usr|etc|var|lib)/", root.string() + "/$1/");
    const Path policy = root / "usr/sbin/policy-rc.d";
    write_file(policy, "#!/bin/sh\nexit 101\n# mine\n");
    const std::string mine = read_file(policy);

    const Finished ordinary = run({.argv = {"sh", "-c", program, "setup", "cat", policy}});
    EXPECT_EQ(ordinary.status, 0) << ordinary.err;
    EXPECT_NE(ordinary.out.find("setup --bench"), std::string::npos) << ordinary.out;
    EXPECT_EQ(read_file(policy), mine);

    // A signal while it is still in its place.
    write_program(root / "bin/mv", "kill -TERM \"$PPID\"\n");
    const Finished stopped =
        run({.argv = {"sh", "-c", program, "setup", "true"},
             .environment = {"PATH=" + (root / "bin").string() + ":" + std::getenv("PATH")}});
    EXPECT_EQ(stopped.status, 130) << stopped.err;
    EXPECT_EQ(read_file(policy), mine);
    EXPECT_FALSE(fs::exists(policy.string() + ".before-bench"));
}

}  // namespace
}  // namespace hello
