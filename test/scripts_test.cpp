// The scripts, as a person runs them: what they make, what they say, and what they leave
// behind when they fail or are stopped.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <map>
#include <memory>
#include <regex>

#include "examples.h"

namespace hello {
namespace {

namespace fs = std::filesystem;
using Strings = std::vector<std::string>;

std::string script(const char* name)
{
    return source_dir() / "scripts" / name;
}

// A handshake that fails ends openssl before it has read its input, and sometimes before it was
// written.
TEST(Harness, OutlivesAProgramThatReadsNothing)
{
    EXPECT_EQ(run({.argv = {"true"}, .input = std::string(1 << 20, 'x')}).status, 0);
}

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
        write_file(stopped, "#!/bin/sh\nPATH=${PATH#*:} " + tool +
                                " \"$@\" >/dev/null\ncase $0$* in *mktemp*|*mod_hello.*) "
                                "kill -TERM 0 ;; esac\n");
        fs::permissions(stopped, fs::perms(0755));
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
    program =
        std::regex_replace(program, std::regex("/(usr|etc|var|lib)/"), root.string() + "/$1/");
    const Path policy = root / "usr/sbin/policy-rc.d";
    write_file(policy, "#!/bin/sh\nexit 101\n# mine\n");
    const std::string mine = read_file(policy);

    const Finished ordinary = run({.argv = {"sh", "-c", program, "setup", "cat", policy}});
    EXPECT_EQ(ordinary.status, 0) << ordinary.err;
    EXPECT_NE(ordinary.out.find("setup --bench"), std::string::npos) << ordinary.out;
    EXPECT_EQ(read_file(policy), mine);

    // A signal while it is still in its place.
    write_file(root / "bin/mv", "#!/bin/sh\nkill -TERM \"$PPID\"\n");
    fs::permissions(root / "bin/mv", fs::perms(0755));
    const Finished stopped =
        run({.argv = {"sh", "-c", program, "setup", "true"},
             .environment = {"PATH=" + (root / "bin").string() + ":" + std::getenv("PATH")}});
    EXPECT_EQ(stopped.status, 130) << stopped.err;
    EXPECT_EQ(read_file(policy), mine);
    EXPECT_FALSE(fs::exists(policy.string() + ".before-bench"));
}

/// Types pass phrases into a script that asks for them, past an openssl that writes down who
/// sees what: its arguments, its environment, and the rights of what has been made so far.
void type_unseen(Command asking, const Path& folder, const Strings& phrases, int status)
{
    write_file(folder / "bin/openssl",
               "#!/bin/sh\n"
               "PATH=${PATH#*:}\n"
               "umask >\"$WITNESS/umask\"\n"
               "{ printf '%s\\n' \"$@\"; env; } >>\"$WITNESS/said\"\n"
               "openssl \"$@\"\n"
               "status=$?\n"
               "find \"$WITNESS/tls\" -type f \\( -name '*.key' -o -name '*.p12' \\) -perm /077 "
               ">>\"$WITNESS/open\"\n"
               "find \"$WITNESS/tls\" -type f -name '*.key' >>\"$WITNESS/keys\"\n"
               "exit $status\n");
    fs::permissions(folder / "bin/openssl", fs::perms(0755));
    asking.terminal = true;
    asking.environment = {"PATH=" + (folder / "bin").string() + ":" + std::getenv("PATH"),
                          "WITNESS=" + folder.string(), "pass_phrase=exported", "again=exported",
                          "SHELLOPTS=allexport:xtrace"};
    Process making(asking);
    std::size_t asked = 0;
    for (const std::string& phrase : phrases) {
        const char* const prompt = asked++ == 0 ? "Pass phrase for " : "The same again: ";
        ASSERT_TRUE(eventually([&] { return making.out().find(prompt) != std::string::npos; }))
            << making.out();
        EXPECT_FALSE(making.echoes());
        making.type(phrase + "\n");
    }
    ASSERT_EQ(making.wait(), status) << making.out();
    const std::string said = read_file(folder / "said");
    for (const std::string& phrase : phrases) {
        EXPECT_EQ(making.out().find(phrase), std::string::npos) << making.out();
        EXPECT_EQ(said.find(phrase), std::string::npos) << said;
    }
    EXPECT_EQ(read_file(folder / "open"), "");
    if (status == 0) {
        EXPECT_NE(said.find("fd:3"), std::string::npos) << said;
        EXPECT_NE(read_file(folder / "keys"), "");
        // This openssl opens keys to nobody by itself; another one need not.
        EXPECT_EQ(read_file(folder / "umask"), "0077\n");
    } else {
        EXPECT_NE(making.out().find("Next: "), std::string::npos) << making.out();
    }
}

// ---------------------------------------------------------------------------
// make-cert

class MakeCert : public testing::Test {
  protected:
    const Path& folder() const { return folder_.path(); }

    Finished make(const Strings& options) const
    {
        Command command{.argv = {script("make-cert"), "--dir", folder()}};
        command.argv.insert(command.argv.end(), options.begin(), options.end());
        return run(command);
    }

    std::string openssl(Strings arguments) const
    {
        arguments.insert(arguments.begin(), "openssl");
        const Finished finished = run({.argv = arguments});
        EXPECT_EQ(finished.status, 0) << finished.err;
        return finished.out;
    }

    std::string text() const
    {
        return openssl({"x509", "-in", folder() / "server.crt", "-noout", "-text"});
    }

    Strings files() const
    {
        Strings names;
        for (const auto& entry : fs::directory_iterator(folder())) {
            names.push_back(entry.path().filename());
        }
        std::sort(names.begin(), names.end());
        return names;
    }

    /// As a run does that was killed between the two: the files that were there are away, and some
    /// of its own are in their places.
    void leave_what_a_killed_run_does() const
    {
        const Path work = folder() / ".mod_hello.make-cert.abcdef";
        write_file(work / "files", "server.key\nserver.csr\nserver.crt\n");
        fs::create_directory(work / "old");
        for (const std::string& name : files()) {
            if (!name.starts_with(".")) {
                fs::rename(folder() / name, work / "old" / name);
            }
        }
        write_file(folder() / "server.key", "new");
        write_file(work / "new/server.csr", "new");
        write_file(work / "new/server.crt", "new");
    }

    TemporaryFolder folder_;
};

const Strings all_three{"server.crt", "server.csr", "server.key"};

TEST_F(MakeCert, MakesWhatBrowsersTake)
{
    ASSERT_EQ(make({}).status, 0);
    EXPECT_EQ(files(), all_three);
    const std::string certificate = text();
    for (const char* const part :
         {"Version: 3", "DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1",
          "CA:FALSE", "Digital Signature", "TLS Web Server Authentication", "NIST CURVE: P-256",
          "ecdsa-with-SHA256"}) {
        EXPECT_NE(certificate.find(part), std::string::npos) << part << '\n' << certificate;
    }
    EXPECT_EQ(certificate.find("Key Encipherment"), std::string::npos);
    struct stat status {};
    ASSERT_EQ(::stat((folder() / "server.key").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0600U);
    const Finished verified =
        run({.argv = {"openssl", "verify", "-CAfile", folder() / "server.crt", "-purpose",
                      "sslserver", "-verify_hostname", "localhost", folder() / "server.crt"}});
    EXPECT_EQ(verified.status, 0) << verified.err;
    EXPECT_EQ(openssl({"req", "-in", folder() / "server.csr", "-noout", "-pubkey"}),
              openssl({"pkey", "-in", folder() / "server.key", "-pubout"}));
    EXPECT_EQ(openssl({"x509", "-in", folder() / "server.crt", "-noout", "-pubkey"}),
              openssl({"pkey", "-in", folder() / "server.key", "-pubout"}));
}

TEST_F(MakeCert, TakesNamesDaysAndKind)
{
    ASSERT_EQ(make({"--name", "www.example.org", "--name", "192.0.2.7", "--name", "2001:db8::7",
                    "--name", "*.example.net", "--days", "397", "--key", "rsa"})
                  .status,
              0);
    const std::string certificate = text();
    for (const char* const part :
         {"DNS:www.example.org, IP Address:192.0.2.7, IP "
          "Address:2001:DB8:0:0:0:0:0:7, DNS:*.example.net",
          "Public-Key: (3072 bit)", "Digital Signature, Key Encipherment"}) {
        EXPECT_NE(certificate.find(part), std::string::npos) << part << '\n' << certificate;
    }
    EXPECT_EQ(openssl({"x509", "-in", folder() / "server.crt", "-noout", "-subject", "-nameopt",
                       "RFC2253"}),
              "subject=CN=www.example.org\n");
    EXPECT_EQ(run({.argv = {"openssl", "x509", "-in", folder() / "server.crt", "-noout",
                            "-checkend", std::to_string(396 * 86'400)}})
                  .status,
              0);
}

TEST_F(MakeCert, RefusesWhatCannotBeRight)
{
    const struct {
        Strings options;
        const char* shown;
    } cases[] = {
        {{"--days", "398"}, "398"},
        {{"--days", "0"}, "0"},
        {{"--days", "soon"}, "soon"},
        {{"--key", "dsa"}, "dsa"},
        {{"--name", "two words"}, "two words"},
        {{"--name", "-x.example"}, "-x.example"},
        {{"--name", "1.2.3.999"}, "1.2.3.999"},
        {{"--name", "::zz"}, "::zz"},
        {{"--name"}, "--name"},
        {{"--name", "a,DNS:b"}, "a,DNS:b"},
        {{"surplus"}, "surplus"},
    };
    for (const auto& [options, shown] : cases) {
        const Finished finished = make(options);
        EXPECT_EQ(finished.status, 2) << shown;
        EXPECT_NE(finished.err.find(shown), std::string::npos) << finished.err;
        EXPECT_NE(finished.err.find("expected"), std::string::npos) << finished.err;
    }
    EXPECT_EQ(files(), Strings{});
}

TEST_F(MakeCert, AsksForThePassPhraseAndShowsItToNobody)
{
    for (const char* const kind : {"ec", "rsa"}) {
        const Path tls = folder() / "tls";
        const Command encrypting{
            .argv = {script("make-cert"), "--dir", tls, "--encrypt", "--key", kind}};
        type_unseen(encrypting, folder(), {"correct horse", "wrong horse"}, 1);
        type_unseen(encrypting, folder(), {"odd", "odd"}, 1);
        EXPECT_FALSE(fs::exists(tls));
        type_unseen(encrypting, folder(), {"correct horse", "correct horse"}, 0);
        const auto unlocks = [&](const char* phrase) {
            return run({.argv = {"openssl", "pkey", "-in", tls / "server.key", "-noout", "-passin",
                                 phrase}})
                       .status == 0;
        };
        EXPECT_TRUE(unlocks("pass:correct horse"));
        EXPECT_FALSE(unlocks("pass:"));
        fs::remove_all(tls);
    }
}

// Whoever can rename the folder that root works in says what root reads and writes there.
TEST_F(MakeCert, WorksInNoFolderThatSomebodyElseMayChange)
{
    const Path theirs = folder() / "theirs";
    fs::create_directories(theirs / "mine");
    const auto refuse = [&](const Path& where, const std::string& why) {
        for (const char* const name : {"make-cert", "make-client-cert"}) {
            Command command{.argv = {script(name), "--dir", where}};
            if (name == std::string("make-client-cert")) {
                command.argv.insert(command.argv.end(), {"--name", "Ada", "--no-passphrase"});
            }
            const Finished finished = run(command);
            EXPECT_EQ(finished.status, 1) << name << where << finished.out;
            EXPECT_NE(finished.err.find("'" + theirs.string() + "' " + why), std::string::npos)
                << finished.err;
            EXPECT_NE(finished.err.find("Next: "), std::string::npos) << finished.err;
        }
        EXPECT_TRUE(fs::is_empty(theirs / "mine"));
        EXPECT_FALSE(fs::exists(theirs / "new"));
    };
    fs::permissions(theirs, fs::perms(0777));
    refuse(theirs / "mine", "may be written by everybody");
    refuse(theirs / "new", "may be written by everybody");
    // Everybody may put something there, and nobody may move it.
    fs::permissions(theirs, fs::perms(01777));
    EXPECT_EQ(run({.argv = {script("make-cert"), "--dir", theirs / "sticky"}}).status, 0);
    fs::permissions(theirs, fs::perms(0755));
    if (::getuid() == 0) {
        ASSERT_EQ(run({.argv = {"chgrp", "www-data", theirs}}).status, 0);
        fs::permissions(theirs, fs::perms(0775));
        for (int i = 0; i < 20; ++i) {
            refuse(theirs / "mine", "may be written by the group www-data");
        }
        fs::permissions(theirs, fs::perms(0755));
        ASSERT_EQ(run({.argv = {"chown", "www-data", theirs}}).status, 0);
        refuse(theirs / "mine", "belongs to www-data");
        refuse(theirs / "new", "belongs to www-data");
        const Finished temporary =
            run({.argv = {script("trust-cert"), "--remove", "--store", "nss", "nothing.crt"},
                 .environment = {"TMPDIR=" + theirs.string()}});
        EXPECT_EQ(temporary.status, 1);
        EXPECT_NE(temporary.err.find("belongs to www-data"), std::string::npos) << temporary.err;
    }
}

TEST_F(MakeCert, SaysWhoHasTheFolderLocked)
{
    Process holder({.argv = {"flock", folder(), "sh", "-c", "echo held; exec sleep 60"}});
    ASSERT_TRUE(eventually([&] { return holder.out() == "held\n"; }));
    Process making({.argv = {script("make-cert"), "--dir", folder()}});
    EXPECT_TRUE(eventually([&] {
        return making.err().find("waiting for it, for 30 s") != std::string::npos;
    })) << making.err();
    EXPECT_NE(making.err().find("process " + std::to_string(holder.pid())), std::string::npos)
        << making.err();
    holder.signal_group(SIGKILL);
    EXPECT_EQ(making.wait(), 0) << making.err();
    EXPECT_EQ(files(), all_three);
}

// A run that is killed outright can put nothing back; the next one does.
TEST_F(MakeCert, TheNextRunPutsBackAndRemovesWhatAKilledOneLeft)
{
    ASSERT_EQ(make({}).status, 0);
    const auto left = [&] {
        const Strings names = files();
        return std::any_of(names.begin(), names.end(),
                           [](const std::string& name) { return name.starts_with("."); });
    };
    int killed = 0;
    for (int delay = 0; delay < 40; ++delay) {
        {
            Process making({.argv = {script("make-cert"), "--dir", folder(), "--force"}});
            eventually([&] { return making.ended(); }, std::chrono::milliseconds(10 * delay));
            making.signal_group(SIGKILL);
            making.wait();
        }
        killed += left() ? 1 : 0;
        // What is there, is left alone, so that only what was left is seen to.
        const Finished next = make({});
        EXPECT_EQ(next.status, 1) << delay << next.out;
        EXPECT_NE(next.err.find("exists, and nothing was changed"), std::string::npos)
            << delay << next.err;
        EXPECT_EQ(files(), all_three) << delay;
        EXPECT_EQ(openssl({"x509", "-in", folder() / "server.crt", "-noout", "-pubkey"}),
                  openssl({"pkey", "-in", folder() / "server.key", "-pubout"}))
            << delay;
    }
    EXPECT_GT(killed, 0) << "no run was killed at the right moment";

    const std::string key = read_file(folder() / "server.key");
    const std::string certificate = read_file(folder() / "server.crt");
    leave_what_a_killed_run_does();
    const Finished next = make({});
    EXPECT_NE(next.err.find("back as they were before a run that was killed"), std::string::npos)
        << next.err;
    EXPECT_EQ(files(), all_three);
    EXPECT_EQ(read_file(folder() / "server.key"), key);
    EXPECT_EQ(read_file(folder() / "server.crt"), certificate);
}

// After each step of the recovery, with the tool that was at it.
TEST_F(MakeCert, CtrlCDuringTheRecoveryEndsItAndLosesNothing)
{
    ASSERT_EQ(make({}).status, 0);
    const std::string key = read_file(folder() / "server.key");
    const std::string certificate = read_file(folder() / "server.crt");
    const TemporaryFolder tools;
    const Path mv = tools.path() / "mv";
    const Path count = tools.path() / "count";
    write_file(mv,
               "#!/bin/sh\nPATH=${PATH#*:}\nmv \"$@\" || exit\necho >>\"$COUNT\"\n"
               "[ \"$(wc -l <\"$COUNT\")\" -ne \"$STEP\" ] || kill -INT 0\n");
    fs::permissions(mv, fs::perms(0755));
    constexpr int steps = 4;  // one that goes away again, and three that come back
    for (int step = 1; step <= steps; ++step) {
        SCOPED_TRACE(step);
        leave_what_a_killed_run_does();
        write_file(count, "");
        const Finished stopped =
            run({.argv = {script("make-cert"), "--dir", folder(), "--force"},
                 .environment = {"PATH=" + mv.parent_path().string() + ":" + std::getenv("PATH"),
                                 "COUNT=" + count.string(), "STEP=" + std::to_string(step)}});
        EXPECT_EQ(stopped.status, 128 + SIGINT) << stopped.out << stopped.err;
        EXPECT_EQ(read_file(count), std::string(steps, '\n'));
        EXPECT_EQ(files(), all_three);
        EXPECT_EQ(read_file(folder() / "server.key"), key);
        EXPECT_EQ(read_file(folder() / "server.crt"), certificate);
    }
}

TEST_F(MakeCert, TakesAFolderByItsWholeName)
{
    const Finished finished =
        run({.argv = {script("make-cert"), "--dir", folder().string() + "/a\n"}});
    EXPECT_EQ(finished.status, 2) << finished.out;
    EXPECT_NE(finished.err.find("line break"), std::string::npos) << finished.err;
    // A link to such a name, and being in it.
    fs::create_directory(folder() / "b\n");
    fs::create_directory(folder() / "b");
    fs::create_directory_symlink("b\n", folder() / "link");
    for (const std::string& argument : {std::string("link"), std::string("b\n/.")}) {
        EXPECT_EQ(run({.argv = {"sh", "-c", "cd \"$0\" && \"$1\"", folder() / argument,
                                script("make-cert")}})
                      .status,
                  2)
            << argument;
    }
    EXPECT_TRUE(fs::is_empty(folder() / "b"));
    EXPECT_TRUE(fs::is_empty(folder() / "b\n"));
}

TEST_F(MakeCert, OnlyOneOfTwoAtOnceMakesThem)
{
    const Command command{.argv = {script("make-cert"), "--dir", folder()}};
    Process one(command);
    Process other(command);
    EXPECT_EQ(one.wait() + other.wait(), 1) << one.err() << other.err();
    EXPECT_EQ(files(), all_three);
}

TEST_F(MakeCert, NeverOverwritesUnasked)
{
    ASSERT_EQ(make({}).status, 0);
    const std::string key = read_file(folder() / "server.key");
    const Finished again = make({});
    EXPECT_EQ(again.status, 1);
    EXPECT_NE(again.err.find("--force"), std::string::npos) << again.err;
    EXPECT_EQ(read_file(folder() / "server.key"), key);

    ASSERT_EQ(make({"--force"}).status, 0);
    EXPECT_NE(read_file(folder() / "server.key"), key);
    EXPECT_EQ(files(), all_three);
}

TEST_F(MakeCert, PutsEverythingBackWhenItFails)
{
    ASSERT_EQ(make({}).status, 0);
    const std::string key = read_file(folder() / "server.key");
    const std::string certificate = read_file(folder() / "server.crt");
    // An openssl that makes the key and the request, and then fails.
    write_file(folder() / "bin/openssl",
               "#!/bin/sh\n[ \"$1\" != x509 ] || exit 1\nPATH=${PATH#*:} exec openssl \"$@\"\n");
    fs::permissions(folder() / "bin/openssl", fs::perms(0755));
    const Finished failed =
        run({.argv = {script("make-cert"), "--dir", folder(), "--force"},
             .environment = {"PATH=" + (folder() / "bin").string() + ":" + std::getenv("PATH")}});
    fs::remove_all(folder() / "bin");
    EXPECT_EQ(failed.status, 1) << failed.out;
    EXPECT_EQ(files(), all_three);
    EXPECT_EQ(read_file(folder() / "server.key"), key);
    EXPECT_EQ(read_file(folder() / "server.crt"), certificate);
}

TEST_F(MakeCert, LeavesNothingHalfDoneWhenItIsStopped)
{
    ASSERT_EQ(make({}).status, 0);
    const auto public_key_of = [&](const char* tool, const char* name, const char* option) {
        return openssl(tool == std::string("pkey")
                           ? Strings{"pkey", "-in", folder() / name, "-pubout"}
                           : Strings{tool, "-in", folder() / name, "-noout", option});
    };
    // Stopped at one moment after the other, over the whole of its work.
    for (int milliseconds = 0; milliseconds < 120; milliseconds += 6) {
        Process process({.argv = {script("make-cert"), "--dir", folder(), "--force"}});
        process.wait(std::chrono::milliseconds(milliseconds));
        process.signal_group(SIGTERM);
        ASSERT_TRUE(eventually([&] { return process.ended(); }));
        ASSERT_TRUE(eventually([&] { return !process.group_alive(); }));
        EXPECT_EQ(files(), all_three) << milliseconds;
        EXPECT_EQ(public_key_of("x509", "server.crt", "-pubkey"),
                  public_key_of("pkey", "server.key", ""))
            << milliseconds;
    }
}

// ---------------------------------------------------------------------------
// make-client-cert

class MakeClientCert : public testing::Test {
  protected:
    const Path& folder() const { return folder_.path(); }

    Command command(const Strings& options) const
    {
        Command result{.argv = {script("make-client-cert"), "--dir", folder() / "tls"}};
        result.argv.insert(result.argv.end(), options.begin(), options.end());
        return result;
    }

    Finished make(Strings options) const
    {
        options.emplace_back("--no-passphrase");
        return run(command(options));
    }

    /// The content of each file, by its name.
    std::map<std::string, std::string> files() const
    {
        std::map<std::string, std::string> result;
        if (fs::exists(folder() / "tls")) {
            for (const auto& entry : fs::directory_iterator(folder() / "tls")) {
                result[entry.path().filename()] = read_file(entry.path());
            }
        }
        return result;
    }

    unsigned mode(const char* name) const
    {
        struct stat status {};
        EXPECT_EQ(::stat((folder() / "tls" / name).c_str(), &status), 0) << name;
        return status.st_mode & 07777U;
    }

    Finished openssl(Strings arguments) const
    {
        for (std::string& argument : arguments) {
            if (argument.starts_with("tls/")) {
                argument = folder() / argument;
            }
        }
        arguments.insert(arguments.begin(), "openssl");
        return run({.argv = arguments});
    }

    Finished revoke(const std::string& file, const Strings& options = {}) const
    {
        Command revoking = command({"--revoke", folder() / file});
        revoking.argv.insert(revoking.argv.end(), options.begin(), options.end());
        return run(revoking);
    }

    /// Whether the list says so of a certificate, as a server would read it.
    bool is_revoked(const char* certificate) const
    {
        const Finished verified = openssl({"verify", "-crl_check_all", "-no_check_time", "-CAfile",
                                           "tls/ca.crt", "-CRLfile", "tls/ca.crl", certificate});
        EXPECT_EQ(verified.status != 0,
                  verified.err.find("certificate revoked") != std::string::npos)
            << verified.err;
        return verified.status != 0;
    }

    /// What openssl says of the list when it is asked by an option.
    std::string list(const char* option) const
    {
        return openssl({"crl", "-in", "tls/ca.crl", "-noout", option}).out;
    }

    /// Has openssl sign a list of what an index says, as another program would.
    void sign_list(const std::string& index, const std::string& number,
                   const char* ca = "tls") const
    {
        write_file(folder() / "index", index);
        write_file(folder() / "number", number + "\n");
        write_file(folder() / "list.cnf", "[lists]\ndatabase = " + (folder() / "index").string() +
                                              "\ncrlnumber = " + (folder() / "number").string() +
                                              "\ndefault_md = sha256\n");
        const std::string from = folder() / ca / "ca";
        const Finished made = openssl({"ca", "-gencrl", "-config", folder() / "list.cnf", "-name",
                                       "lists", "-cert", from + ".crt", "-keyfile", from + ".key",
                                       "-crldays", "1", "-out", "tls/ca.crl"});
        ASSERT_EQ(made.status, 0) << made.err;
    }

    /// Whether this file is there, beside where it will lie.
    bool has_made(const char* name) const
    {
        std::error_code ignored;
        for (const auto& entry : fs::directory_iterator(folder() / "tls", ignored)) {
            if (fs::exists(entry.path() / "new" / name, ignored)) {
                return true;
            }
        }
        return false;
    }

    /// Ends a run so long after it has made a file. Returns its exit status.
    int stop_after(const char* name, int milliseconds, const Strings& options) const
    {
        Process process(command(options));
        EXPECT_TRUE(eventually([&] { return process.ended() || has_made(name); }));
        process.wait(std::chrono::milliseconds(milliseconds));
        process.signal_group(SIGTERM);
        EXPECT_TRUE(eventually([&] { return process.ended(); }));
        EXPECT_TRUE(eventually([&] { return !process.group_alive(); }));
        return process.status();
    }

    bool verifies(const char* certificate) const
    {
        return openssl({"verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", "tls/ca.crt",
                        certificate})
                   .status == 0;
    }

    TemporaryFolder folder_;
};

TEST_F(MakeClientCert, MakesACaAndAClient)
{
    const Finished made = make({"--name", "Ada \"/+=,\\ \xC3\x96"});
    ASSERT_EQ(made.status, 0) << made.err;
    EXPECT_EQ(files().size(), 6U);
    for (const char* const name : {"ca.key", "client.key", "client.p12"}) {
        EXPECT_EQ(mode(name), 0600U) << name;
    }
    for (const char* const name : {"ca.crt", "ca.crl", "client.crt"}) {
        EXPECT_EQ(mode(name), 0644U) << name;
    }
    EXPECT_TRUE(verifies("tls/client.crt"));
    EXPECT_EQ(openssl({"x509", "-in", "tls/client.crt", "-noout", "-subject", "-nameopt",
                       "utf8,sep_multiline"})
                  .out,
              "subject=\n    CN=Ada \"/+=,\\ \xC3\x96\n");
    const std::string client = openssl({"x509", "-in", "tls/client.crt", "-noout", "-text"}).out;
    for (const char* const part :
         {"CA:FALSE", "TLS Web Client Authentication", "Digital Signature"}) {
        EXPECT_NE(client.find(part), std::string::npos) << part << '\n' << client;
    }
    EXPECT_EQ(client.find("Server"), std::string::npos) << "it could pass for a host";
    const std::string ca = openssl({"x509", "-in", "tls/ca.crt", "-noout", "-text"}).out;
    for (const char* const part : {"CA:TRUE, pathlen:0", "Certificate Sign, CRL Sign"}) {
        EXPECT_NE(ca.find(part), std::string::npos) << part << '\n' << ca;
    }
    const std::string list = openssl({"crl", "-in", "tls/ca.crl", "-noout", "-text"}).out;
    for (const char* const part : {"No Revoked Certificates", "Next Update: Dec 31 23:59:59 9999",
                                   "Authority Key Identifier", "ecdsa-with-SHA256"}) {
        EXPECT_NE(list.find(part), std::string::npos) << part << '\n' << list;
    }
    EXPECT_FALSE(is_revoked("tls/client.crt"));
    const Finished p12 = openssl({"pkcs12", "-in", "tls/client.p12", "-passin", "pass:", "-noenc"});
    EXPECT_EQ(p12.status, 0) << p12.err;
    EXPECT_NE(p12.out.find("BEGIN PRIVATE KEY"), std::string::npos);
    EXPECT_NE(p12.out.find(read_file(folder() / "tls/client.crt")), std::string::npos);
}

TEST_F(MakeClientCert, UsesTheCaThatIsThere)
{
    ASSERT_EQ(make({"--name", "Ada"}).status, 0);
    const auto before = files();
    const Finished again = make({"--name", "Grace"});
    EXPECT_EQ(again.status, 1);
    EXPECT_NE(again.err.find("--force"), std::string::npos) << again.err;
    EXPECT_EQ(files(), before);

    ASSERT_EQ(make({"--name", "Grace", "--file", "grace"}).status, 0);
    EXPECT_TRUE(verifies("tls/grace.crt"));
    EXPECT_TRUE(verifies("tls/client.crt"));
    ASSERT_EQ(make({"--name", "Grace", "--force"}).status, 0);
    EXPECT_TRUE(verifies("tls/client.crt"));
    auto after = files();
    EXPECT_EQ(after.size(), 9U);
    for (const char* const name : {"client.key", "client.crt", "client.p12"}) {
        EXPECT_NE(after[name], before.at(name)) << name;
    }
    for (const char* const name : {"ca.key", "ca.crt", "ca.crl"}) {
        EXPECT_EQ(after[name], before.at(name)) << name;
    }
}

TEST_F(MakeClientCert, RefusesWhatCannotBeRight)
{
    const struct {
        Strings options;
        const char* shown;
    } cases[] = {
        {{}, "--name"},
        {{"--name"}, "--name"},
        {{"--name", "a\nb"}, "a\nb"},
        {{"--name", "\xFF"}, "UTF-8"},
        {{"--name", std::string(65, 'x')}, "xxx"},
        {{"--name", "x", "--days", "0"}, "'0'"},
        {{"--name", "x", "--days", "826"}, "826"},
        {{"--name", "x", "--days", "soon"}, "soon"},
        {{"--name", "x", "--file", "../x"}, "../x"},
        {{"--name", "x", "--file", "ca"}, "'ca'"},
        {{"--name", "x", "--file", "server"}, "server"},
        {{"--name", "x", "surplus"}, "surplus"},
        {{"--revoke"}, "--revoke"},
        {{"--revoke", "x"}, "--no-passphrase"},
    };
    for (const auto& [options, shown] : cases) {
        const Finished finished = make(options);
        EXPECT_EQ(finished.status, 2) << shown << finished.err;
        EXPECT_NE(finished.err.find(shown), std::string::npos) << finished.err;
        EXPECT_NE(finished.err.find("expected"), std::string::npos) << finished.err;
        EXPECT_NE(finished.err.find("Next: "), std::string::npos) << finished.err;
        EXPECT_EQ(finished.out, "");
    }
    EXPECT_FALSE(fs::exists(folder() / "tls"));
}

TEST_F(MakeClientCert, RefusesACaThatCannotSign)
{
    ASSERT_EQ(make({"--name", "Ada"}).status, 0);
    const std::string key = read_file(folder() / "tls/ca.key");
    const std::string certificate = read_file(folder() / "tls/ca.crt");
    const std::string other = read_file(folder() / "tls/client.key");
    ASSERT_EQ(openssl({"req", "-x509", "-new", "-key", "tls/ca.key", "-subj", "/CN=short", "-days",
                       "3", "-out", "tls/short"})
                  .status,
              0);
    ASSERT_EQ(openssl({"req", "-x509", "-new", "-key", "tls/ca.key", "-subj", "/CN=leaf", "-addext",
                       "basicConstraints=critical,CA:FALSE", "-days", "3000", "-out", "tls/leaf"})
                  .status,
              0);
    const std::string expiring = read_file(folder() / "tls/short");
    const std::string leaf = read_file(folder() / "tls/leaf");
    ASSERT_EQ(openssl({"pkey", "-in", "tls/ca.key", "-aes256", "-passout", "pass:secret", "-out",
                       "tls/locked"})
                  .status,
              0);
    const std::string locked = read_file(folder() / "tls/locked");
    const struct {
        std::string key;
        std::string certificate;
        const char* shown;
    } cases[] = {{"", certificate, "ca.key' is missing"},
                 {key, "", "ca.crt' is missing"},
                 {other, certificate, "is not the key"},
                 {locked, certificate, "has a pass phrase"},
                 {key, "nonsense", "is not a certificate"},
                 {key, leaf, "may sign nothing"},
                 {key, expiring, "expires on"},
                 // The list alone: that of a CA that got lost.
                 {"", "", "ca.key' is missing"}};
    for (const auto& [its_key, its_certificate, shown] : cases) {
        const std::pair<const char*, const std::string&> halves[] = {{"ca.key", its_key},
                                                                     {"ca.crt", its_certificate}};
        for (const auto& [name, content] : halves) {
            fs::remove(folder() / "tls" / name);
            if (!content.empty()) {
                write_file(folder() / "tls" / name, content);
            }
        }
        const auto before = files();
        const Finished finished = make({"--name", "Grace", "--file", "grace"});
        EXPECT_EQ(finished.status, 1) << shown;
        EXPECT_NE(finished.err.find(shown), std::string::npos) << shown << ": " << finished.err;
        EXPECT_NE(finished.err.find("Next: "), std::string::npos) << finished.err;
        EXPECT_EQ(files(), before) << shown;
    }
}

TEST_F(MakeClientCert, AsksForThePassPhraseAndShowsItToNobody)
{
    type_unseen(command({"--name", "Ada"}), folder(), {"correct horse", "correct horse"}, 0);
    const auto unlocks = [&](const char* phrase) {
        return openssl({"pkcs12", "-in", "tls/client.p12", "-noout", "-passin", phrase}).status ==
               0;
    };
    EXPECT_TRUE(unlocks("pass:correct horse"));
    EXPECT_FALSE(unlocks("pass:"));
    EXPECT_FALSE(unlocks("pass:wrong"));
}

TEST_F(MakeClientCert, MakesWhatBrowsersImport)
{
    type_unseen(command({"--name", "J\xC3\xB6rg"}), folder(), {"correct horse", "correct horse"},
                0);
    ASSERT_EQ(make({"--name", "Ada", "--file", "ada"}).status, 0);
    const Path database = folder() / "nss";
    fs::create_directories(database);
    const auto nss = [&](Strings argv) {
        argv.insert(argv.end(), {"-d", "sql:" + database.string()});
        const Finished finished = run({.argv = argv});
        EXPECT_EQ(finished.status, 0) << finished.out << finished.err;
        return finished.out;
    };
    nss({"certutil", "-N", "--empty-password"});
    nss({"pk12util", "-i", folder() / "tls/client.p12", "-W", "correct horse"});
    nss({"pk12util", "-i", folder() / "tls/ada.p12", "-W", ""});
    for (const std::string& listed : {nss({"certutil", "-L"}), nss({"certutil", "-K"})}) {
        for (const char* const name : {"J\xC3\xB6rg", "Ada"}) {
            EXPECT_NE(listed.find(name), std::string::npos) << listed;
        }
    }
}

TEST_F(MakeClientCert, SaysThatThereIsNoTerminalToAskOn)
{
    Command asking = command({"--name", "Ada"});
    asking.argv.insert(asking.argv.begin(), {"setsid", "--wait"});
    const Finished finished = run(asking);
    EXPECT_EQ(finished.status, 1);
    EXPECT_NE(finished.err.find("--no-passphrase"), std::string::npos) << finished.err;
    EXPECT_FALSE(fs::exists(folder() / "tls"));
}

TEST_F(MakeClientCert, LeavesNothingHalfDoneWhenItIsStopped)
{
    // At each step of the work, and at one moment after the other of its end.
    const std::pair<const char*, int> moments[] = {
        {"ca.key", 0},      {"ca.crt", 0},      {"ca.crl", 0},      {"client.key", 0},
        {"client.crt", 0},  {"client.p12", 0},  {"client.p12", 5},  {"client.p12", 10},
        {"client.p12", 15}, {"client.p12", 20}, {"client.p12", 25}, {"client.p12", 30}};
    // From an empty folder on: all files or none.
    for (const auto& [name, milliseconds] : moments) {
        SCOPED_TRACE(name + std::to_string(milliseconds));
        stop_after(name, milliseconds, {"--name", "Ada", "--no-passphrase"});
        const auto left = files();
        EXPECT_TRUE(left.empty() || left.size() == 6) << left.size();
        EXPECT_EQ(fs::exists(folder() / "tls"), !left.empty());
        EXPECT_TRUE(left.empty() || verifies("tls/client.crt"));
        fs::remove_all(folder() / "tls");
    }
    // With all there, the CA stays what it is and the client's pair fits.
    ASSERT_EQ(make({"--name", "Ada"}).status, 0);
    const std::string ca = files()["ca.key"];
    for (const auto& [name, milliseconds] : moments) {
        if (std::string_view(name).starts_with("ca")) {
            continue;
        }
        SCOPED_TRACE(name + std::to_string(milliseconds));
        stop_after(name, milliseconds, {"--name", "Ada", "--no-passphrase", "--force"});
        EXPECT_EQ(files().size(), 6U);
        EXPECT_EQ(files()["ca.key"], ca);
        EXPECT_EQ(openssl({"x509", "-in", "tls/client.crt", "-noout", "-pubkey"}).out,
                  openssl({"pkey", "-in", "tls/client.key", "-pubout"}).out);
    }
}

TEST_F(MakeClientCert, RevokesOneCertificateAfterTheOther)
{
    for (const char* const name : {"ada", "grace", "joan"}) {
        ASSERT_EQ(make({"--name", name, "--file", name}).status, 0);
    }
    const auto before = files();
    EXPECT_EQ(list("-crlnumber"), "crlNumber=0x01\n");
    const Finished revoked = revoke("tls/ada.crt");
    ASSERT_EQ(revoked.status, 0) << revoked.err;
    EXPECT_EQ(revoked.err, "");
    EXPECT_NE(revoked.out.find("CN=ada"), std::string::npos) << revoked.out;
    EXPECT_NE(revoked.out.find("Next: "), std::string::npos) << revoked.out;
    EXPECT_EQ(mode("ca.crl"), 0644U);
    EXPECT_TRUE(is_revoked("tls/ada.crt"));
    EXPECT_FALSE(is_revoked("tls/grace.crt"));
    EXPECT_EQ(list("-crlnumber"), "crlNumber=0x02\n");
    EXPECT_EQ(list("-nextupdate"), "nextUpdate=Dec 31 23:59:59 9999 GMT\n");
    const std::regex entry(R"(Serial Number: [0-9A-F]+\s+Revocation Date: .*)");
    std::smatch first;
    const std::string text = list("-text");
    ASSERT_TRUE(std::regex_search(text, first, entry)) << text;

    // The same once more: no new number either.
    const std::string once = files()["ca.crl"];
    const Finished again = revoke("tls/ada.crt");
    EXPECT_EQ(again.status, 0) << again.err;
    EXPECT_NE(again.out.find("On the list already: CN=ada"), std::string::npos) << again.out;
    EXPECT_EQ(files()["ca.crl"], once);

    // Later, so that a date that is not kept shows.
    ASSERT_TRUE(eventually([&] {
        return openssl(
                   {"crl", "-in", "tls/ca.crl", "-noout", "-lastupdate", "-dateopt", "iso_8601"})
                   .out < "lastUpdate=" + run({.argv = {"date", "-u", "+%Y-%m-%d %H:%M:%SZ"}}).out;
    }));
    ASSERT_EQ(revoke("tls/grace.crt").status, 0);
    EXPECT_TRUE(is_revoked("tls/ada.crt"));
    EXPECT_TRUE(is_revoked("tls/grace.crt"));
    EXPECT_FALSE(is_revoked("tls/joan.crt"));
    EXPECT_EQ(list("-crlnumber"), "crlNumber=0x03\n");
    EXPECT_NE(list("-text").find(first.str()), std::string::npos) << first.str() << list("-text");

    // One that takes the place of a revoked one is another one.
    ASSERT_EQ(make({"--name", "ada", "--file", "ada", "--force"}).status, 0);
    EXPECT_FALSE(is_revoked("tls/ada.crt"));
    auto after = files();
    EXPECT_EQ(after.size(), before.size());
    for (const auto& [name, content] : before) {
        if (name != "ca.crl" && !name.starts_with("ada")) {
            EXPECT_EQ(after[name], content) << name;
        }
    }
}

TEST_F(MakeClientCert, RevokesAnExpiredCertificateToo)
{
    // A server's clock may be behind.
    ASSERT_EQ(make({"--name", "Ada"}).status, 0);
    ASSERT_EQ(openssl({"req", "-new", "-key", "tls/client.key", "-subj", "/CN=old", "-out",
                       "tls/old.csr"})
                  .status,
              0);
    ASSERT_EQ(openssl({"x509", "-req", "-in", "tls/old.csr", "-CA", "tls/ca.crt", "-CAkey",
                       "tls/ca.key", "-set_serial", "7", "-days", "0", "-out", "tls/old.crt"})
                  .status,
              0);
    const Finished finished = revoke("tls/old.crt");
    EXPECT_EQ(finished.status, 0) << finished.err;
    EXPECT_TRUE(is_revoked("tls/old.crt"));
    EXPECT_FALSE(is_revoked("tls/client.crt"));
}

TEST_F(MakeClientCert, RevokesWhateverTheFolderIsCalled)
{
    const Path odd = folder() / R"(tls/a $b ${c} #d 'e' "f" \g,h=i [j])";
    const auto make_client_cert = [&](const Strings& options) {
        Command command{.argv = {script("make-client-cert"), "--dir", odd}};
        command.argv.insert(command.argv.end(), options.begin(), options.end());
        const Finished finished = run(command);
        EXPECT_EQ(finished.status, 0) << finished.err;
    };
    make_client_cert({"--name", "Ada", "--no-passphrase"});
    make_client_cert({"--revoke", odd / "client.crt"});
    const Finished text = openssl({"crl", "-in", odd / "ca.crl", "-noout", "-text"});
    EXPECT_NE(text.out.find("Serial Number: "), std::string::npos) << text.out << text.err;
}

TEST_F(MakeClientCert, KeepsWhatAnotherProgramPutOnTheList)
{
    ASSERT_EQ(make({"--name", "Ada"}).status, 0);
    const std::string day = "R\t300101000000Z\t210203040506Z";
    const std::pair<const char*, const char*> numbers[] = {
        {"01", "0x02"},
        {"0F", "0x10"},
        {"7F", "0x80"},
        {"FFFFFFFFFFFFFFFFFFFF", "0x0100000000000000000000"}};
    const std::regex entry(
        R"(Serial Number: [0-9A-F]+\s+Revocation Date: .*(\s+CRL entry .*\s+.*\s+.*)?)");
    for (const auto& [number, next] : numbers) {
        sign_list(day + "\t00\tunknown\t/\n" + day + ",keyCompromise\t7F\tunknown\t/\n" + day +
                      ",CACompromise\t0080\tunknown\t/\n" + day +
                      ",superseded\tFEDCBA98765432100123456789ABCDEF\tunknown\t/\n" + day +
                      ",certificateHold\t0102\tunknown\t/\n",
                  number);
        const std::string before = list("-text");
        const Finished finished = revoke("tls/client.crt");
        ASSERT_EQ(finished.status, 0) << finished.err;
        const std::string after = list("-text");
        int count = 0;
        for (auto at = std::sregex_iterator(before.begin(), before.end(), entry);
             at != std::sregex_iterator(); ++at, ++count) {
            EXPECT_NE(after.find(at->str()), std::string::npos) << at->str() << after;
        }
        EXPECT_EQ(count, 5) << before;
        EXPECT_TRUE(is_revoked("tls/client.crt"));
        EXPECT_EQ(list("-crlnumber"), "crlNumber=" + std::string(next) + "\n");
    }

    // What "openssl ca" would not write again: the day on which the key was stolen.
    sign_list(day + ",keyTime,20200101000000Z\t7F\tunknown\t/\n", "01");
    const auto before = files();
    const Finished refused = revoke("tls/client.crt");
    EXPECT_EQ(refused.status, 1) << refused.out;
    EXPECT_NE(refused.err.find("would be lost"), std::string::npos) << refused.err;
    EXPECT_EQ(files(), before);
}

TEST_F(MakeClientCert, RefusesToRevokeWhatItCannot)
{
    ASSERT_EQ(make({"--name", "Ada"}).status, 0);
    ASSERT_EQ(make({"--name", "Ada", "--dir", folder() / "other"}).status, 0);
    write_file(folder() / "empty", "");
    const struct {
        const char* file;
        const char* dir;
        const char* shown;
    } files_and_folders[] = {
        {"tls/none.crt", "tls", "none.crt"},
        {"tls", "tls", "cannot read"},
        {"empty", "tls", "is not a certificate"},
        {"tls/client.key", "tls", "is not a certificate"},
        {"tls/client.p12", "tls", "is not a certificate"},
        {"tls/ca.crl", "tls", "is not a certificate"},
        {"tls/ca.crt", "tls", "is the certificate of the CA itself"},
        {"other/client.crt", "tls", "(CN=Ada, serial number "},
        {"other/ca.crt", "tls", "is not signed by"},
        {"tls/client.crt", "none", "there is no CA in"},
    };
    const auto before = files();
    for (const auto& [file, dir, shown] : files_and_folders) {
        const Finished finished = revoke(file, {"--dir", folder() / dir});
        EXPECT_EQ(finished.status, 1) << shown << finished.out;
        EXPECT_NE(finished.err.find(shown), std::string::npos) << shown << ": " << finished.err;
        EXPECT_NE(
            finished.err.find((folder() / (dir == std::string("none") ? dir : file)).string()),
            std::string::npos)
            << finished.err;
        EXPECT_NE(finished.err.find("expected"), std::string::npos) << finished.err;
        EXPECT_NE(finished.err.find("Next: "), std::string::npos) << finished.err;
        EXPECT_EQ(finished.out, "");
        EXPECT_EQ(files(), before) << shown;
    }
    EXPECT_FALSE(fs::exists(folder() / "none"));

    for (const Strings& options :
         {Strings{"--name", "x"}, Strings{"--file", "client"}, Strings{"--days", "365"},
          Strings{"--no-passphrase"}, Strings{"--force"}, Strings{"--revoke", "x"}}) {
        const Finished finished = revoke("tls/client.crt", options);
        EXPECT_EQ(finished.status, 2) << options.front() << finished.out;
        EXPECT_NE(finished.err.find(options.front()), std::string::npos) << finished.err;
        EXPECT_NE(finished.err.find("expected"), std::string::npos) << finished.err;
        EXPECT_EQ(files(), before);
    }
}

TEST_F(MakeClientCert, RefusesAListThatIsNotItsOwn)
{
    ASSERT_EQ(make({"--name", "Ada"}).status, 0);
    ASSERT_EQ(make({"--name", "Ada", "--dir", folder() / "other"}).status, 0);
    ASSERT_EQ(make({"--name", "Grace", "--file", "grace"}).status, 0);
    ASSERT_EQ(revoke("tls/grace.crt").status, 0);
    const Path path = folder() / "tls/ca.crl";
    const std::string own = read_file(path);
    const std::string foreign = read_file(folder() / "other/ca.crl");
    // One digit of a date, so that it is a list still.
    ASSERT_EQ(openssl({"crl", "-in", path, "-outform", "DER", "-out", folder() / "der"}).status, 0);
    std::string der = read_file(folder() / "der");
    ++der[der.find("99991231235959Z")];
    --der[der.find(":9991231235959Z")];
    der[der.find("99991231235959Z") + 1] = '8';
    write_file(folder() / "der", der);
    ASSERT_EQ(openssl({"crl", "-inform", "DER", "-in", folder() / "der", "-out", path}).status, 0);
    const std::string changed = read_file(path);
    ASSERT_NE(changed, own);
    const struct {
        std::string content;
        const char* shown;
    } cases[] = {{"", "is not a list"},
                 {"nonsense", "is not a list"},
                 {own.substr(0, own.size() / 2), "is not a list"},
                 {own + own, "is not a list"},
                 {foreign, "does not have the signature of"},
                 {changed, "does not have the signature of"}};
    for (const auto& [content, shown] : cases) {
        write_file(path, content);
        const auto before = files();
        for (const char* const file : {"tls/client.crt", "tls/grace.crt"}) {
            const Finished finished = revoke(file);
            EXPECT_EQ(finished.status, 1) << shown << finished.out;
            EXPECT_NE(finished.err.find(shown), std::string::npos) << shown << finished.err;
            EXPECT_NE(finished.err.find(path.string()), std::string::npos) << finished.err;
            EXPECT_NE(finished.err.find("Next: restore"), std::string::npos) << finished.err;
            EXPECT_EQ(files(), before) << shown;
        }
    }
    // Whoever reads the file behind the link would go on with what it held.
    write_file(folder() / "linked", own);
    fs::remove(path);
    fs::create_symlink(folder() / "linked", path);
    const Finished linked = revoke("tls/client.crt");
    EXPECT_EQ(linked.status, 1) << linked.out;
    EXPECT_NE(linked.err.find("no link"), std::string::npos) << linked.err;
    EXPECT_EQ(read_file(folder() / "linked"), own);
}

TEST_F(MakeClientCert, SaysThatThereHasBeenNoList)
{
    // A CA of a former version, or one whose list got lost.
    ASSERT_EQ(make({"--name", "Ada"}).status, 0);
    fs::remove(folder() / "tls/ca.crl");
    const Finished made = make({"--name", "Grace", "--file", "grace"});
    EXPECT_EQ(made.status, 0) << made.err;
    EXPECT_NE(made.err.find("ca.crl', and the new one holds no certificate"), std::string::npos)
        << made.err;
    EXPECT_NE(made.err.find("Next: "), std::string::npos) << made.err;
    EXPECT_FALSE(is_revoked("tls/client.crt"));

    fs::remove(folder() / "tls/ca.crl");
    const Finished revoked = revoke("tls/client.crt");
    EXPECT_EQ(revoked.status, 0) << revoked.err;
    EXPECT_NE(revoked.err.find("ca.crl', and the new one holds this certificate alone"),
              std::string::npos)
        << revoked.err;
    EXPECT_TRUE(is_revoked("tls/client.crt"));
    EXPECT_FALSE(is_revoked("tls/grace.crt"));
}

TEST_F(MakeClientCert, SaysThatACaMaySignNoList)
{
    // A server would refuse all clients for the sake of such a list.
    ASSERT_EQ(make({"--name", "Ada"}).status, 0);
    fs::remove(folder() / "tls/ca.crl");
    ASSERT_EQ(
        openssl({"req", "-new", "-key", "tls/ca.key", "-subj", "/CN=CA", "-out", "tls/csr"}).status,
        0);
    const auto make_ca = [&](const char* days, const std::string& usage) {
        write_file(folder() / "extensions", "basicConstraints=critical,CA:TRUE\n" + usage);
        ASSERT_EQ(openssl({"x509", "-req", "-in", "tls/csr", "-signkey", "tls/ca.key", "-days",
                           days, "-extfile", folder() / "extensions", "-out", "tls/ca.crt"})
                      .status,
                  0);
    };
    make_ca("999", "keyUsage=critical,keyCertSign");
    const Finished made = make({"--name", "Grace", "--file", "grace"});
    EXPECT_EQ(made.status, 0) << made.err;
    EXPECT_NE(made.out.find("HELLO_NO_CLIENT_CRL"), std::string::npos) << made.out;
    EXPECT_FALSE(fs::exists(folder() / "tls/ca.crl"));
    const Finished refused = revoke("tls/grace.crt");
    EXPECT_EQ(refused.status, 1) << refused.out;
    EXPECT_NE(refused.err.find("may sign no list"), std::string::npos) << refused.err;
    EXPECT_FALSE(fs::exists(folder() / "tls/ca.crl"));

    // It may where nothing is said of its usages.
    make_ca("999", "");
    EXPECT_EQ(revoke("tls/grace.crt").status, 0);
    EXPECT_TRUE(is_revoked("tls/grace.crt"));

    make_ca("0", "keyUsage=critical,keyCertSign,cRLSign");
    const Finished expired = revoke("tls/grace.crt");
    EXPECT_EQ(expired.status, 1) << expired.out;
    EXPECT_NE(expired.err.find("has expired on"), std::string::npos) << expired.err;
}

TEST_F(MakeClientCert, RevokesAllThatAreRevokedAtOnce)
{
    const Strings names{"ada", "grace", "joan", "mary", "radia"};
    for (const std::string& name : names) {
        ASSERT_EQ(make({"--name", name, "--file", name}).status, 0);
    }
    std::vector<std::unique_ptr<Process>> runs;
    for (const std::string& name : names) {
        runs.push_back(
            std::make_unique<Process>(command({"--revoke", folder() / "tls" / (name + ".crt")})));
    }
    for (const auto& one : runs) {
        EXPECT_EQ(one->wait(), 0) << one->err();
    }
    for (const std::string& name : names) {
        EXPECT_TRUE(is_revoked(("tls/" + name + ".crt").c_str())) << name;
    }
    EXPECT_EQ(list("-crlnumber"), "crlNumber=0x06\n");
}

TEST_F(MakeClientCert, HasTheOldListOrTheNewOneWheneverItIsStopped)
{
    ASSERT_EQ(make({"--name", "Ada"}).status, 0);
    const auto before = files();
    // At the beginning of its work, and at one moment after the other of its end.
    std::vector<std::pair<const char*, int>> moments{{"", 0}, {"", 50}, {"", 100}};
    for (int milliseconds = 0; milliseconds < 80; milliseconds += 5) {
        moments.emplace_back("ca.crl", milliseconds);
    }
    for (const auto& [name, milliseconds] : moments) {
        SCOPED_TRACE(name + std::to_string(milliseconds));
        const int status =
            stop_after(name, milliseconds, {"--revoke", folder() / "tls/client.crt"});
        auto after = files();
        EXPECT_EQ(after.size(), before.size());
        if (after["ca.crl"] == before.at("ca.crl")) {
            EXPECT_EQ(status, 128 + SIGTERM);
        } else {
            EXPECT_EQ(status, 0) << "as if there were something to do again";
            EXPECT_TRUE(is_revoked("tls/client.crt"));
            write_file(folder() / "tls/ca.crl", before.at("ca.crl"));
        }
    }
}

// ---------------------------------------------------------------------------
// run

class Run : public testing::Test {
  protected:
    Run() : ports_(free_ports(2)) {}

    Command command(const Strings& more = {}) const
    {
        Command result{
            .argv = {script("run"), "--http-port", std::to_string(ports_[0]), "--https-port",
                     std::to_string(ports_[1]), "--cert-dir", folder_.path() / "tls"},
            .environment = {"TMPDIR=" + (folder_.path() / "tmp").string()}};
        result.argv.insert(result.argv.end(), more.begin(), more.end());
        fs::create_directories(folder_.path() / "tmp");
        return result;
    }

    bool left_nothing() const { return fs::is_empty(folder_.path() / "tmp"); }

    std::string url(const char* scheme, std::size_t port) const
    {
        return std::string(scheme) + "://127.0.0.1:" + std::to_string(ports_[port]) + "/";
    }

    TemporaryFolder folder_;
    std::vector<int> ports_;
};

TEST_F(Run, ServesFromReadyToTheEnd)
{
    const struct {
        int signal;
        bool to_group;  // as a terminal does for Ctrl-C
    } ends[] = {{SIGINT, true}, {SIGTERM, false}};
    for (const auto& [signal, to_group] : ends) {
        Process process(command());
        ASSERT_TRUE(eventually(
            [&] { return process.ended() || process.out().find("Ctrl-C") != std::string::npos; },
            std::chrono::minutes(1)))
            << process.out() << process.err();
        ASSERT_FALSE(process.ended()) << process.err();
        const Path certificate = folder_.path() / "tls/server.crt";
        const std::string curl = "curl --cacert '" + certificate.string() + "' " + url("https", 1);
        for (const std::string& line :
             {std::string("Ready\n"), url("http", 0), url("https", 1), curl}) {
            EXPECT_NE(process.out().find(line), std::string::npos) << line << "\n" << process.out();
        }
        EXPECT_EQ(fetch({.url = url("http", 0)}).body, "Hello World!");
        EXPECT_EQ(fetch({.url = url("https", 1), .ca = certificate}).body, "Hello World!");
        const Finished pasted = run({.argv = {"sh", "-c", curl + " --silent"}});
        EXPECT_EQ(pasted.out, "Hello World!") << pasted.err;
        EXPECT_EQ(key_exchange(ports_[1], certificate), best_key_exchange());

        if (to_group) {
            process.signal_group(signal);
        } else {
            process.signal(signal);
        }
        EXPECT_EQ(process.wait(), 0) << process.err();
        EXPECT_TRUE(eventually([&] { return !process.group_alive(); })) << "a process is left";
        EXPECT_EQ(fetch({.url = url("http", 0)}).status, 0) << "the server still answers";
        EXPECT_TRUE(left_nothing());
    }
}

// Whoever comes second takes the pair that the first one has made.
TEST_F(Run, TwoFirstRunsAtOnceServeTheSamePair)
{
    const std::vector<int> others = free_ports(2);
    Process first(command());
    Process second(command(
        {"--http-port", std::to_string(others[0]), "--https-port", std::to_string(others[1])}));
    for (Process* const process : {&first, &second}) {
        ASSERT_TRUE(eventually([&] {
            return process->ended() || process->out().find("Ctrl-C") != std::string::npos;
        })) << process->out()
            << process->err();
        ASSERT_FALSE(process->ended()) << process->err();
    }
    for (const int port : {ports_[1], others[1]}) {
        EXPECT_EQ(fetch({.url = "https://127.0.0.1:" + std::to_string(port) + "/",
                         .ca = folder_.path() / "tls/server.crt"})
                      .body,
                  "Hello World!");
    }
    for (Process* const process : {&first, &second}) {
        process->signal_group(SIGINT);
        EXPECT_EQ(process->wait(), 0) << process->err();
    }
    EXPECT_TRUE(left_nothing());
}

TEST_F(Run, ServesRecipesAndTheCommandsOfTheirHeadsWork)
{
    const std::vector<Strings> all{{"acme-answer", "balancer", "drain", "errors", "health", "login",
                                    "maintenance", "matrix", "routes", "whoami"},
                                   {"basic-auth", "node", "redirect"},
                                   {"production"},
                                   {"client-cert"}};
    std::size_t count = 0;
    for (const Strings& names : all) {
        Strings options;
        for (const std::string& name : names) {
            options.insert(options.end(), {"--example", name});
        }
        count += names.size();
        // A strict umask does not keep out whoever serves.
        Command strict = command(options);
        strict.argv.insert(strict.argv.begin(), {"sh", "-c", "umask 077; exec \"$@\"", "sh"});
        Process process(strict);
        ASSERT_TRUE(eventually(
            [&] { return process.ended() || process.out().find("Ctrl-C") != std::string::npos; },
            std::chrono::minutes(1)))
            << process.out() << process.err();
        ASSERT_FALSE(process.ended()) << process.err();
        EXPECT_EQ(contains(process.err(), "the recipe production goes without mod_qos"),
                  names.front() == "production" && !fs::exists(httpd_modules() / "mod_qos.so"));
        for (const std::string& name : names) {
            const std::string shown = trial(name, process.out());
            EXPECT_TRUE(std::regex_search(shown, std::regex(trial_result(name), std::regex::icase)))
                << name << '\n'
                << shown << process.out();
            EXPECT_NE(process.out().find("\n  " + name + ": http"), std::string::npos)
                << process.out();
        }
        // The shown command is what can be pasted by itself.
        const std::string out = process.out();
        std::smatch command;
        ASSERT_TRUE(std::regex_search(out, command, std::regex("\n    (curl [^;\n]*|touch .*)\n")));
        const Finished pasted =
            run({.argv = {"sh", "-c", "cd '" + source_dir().string() + "'\n" + command[1].str()}});
        EXPECT_EQ(pasted.status, 0) << command[1] << pasted.err;
        process.signal_group(SIGINT);
        EXPECT_EQ(process.wait(), 0) << process.err();
        EXPECT_TRUE(eventually([&] { return !process.group_alive(); })) << "a process is left";
        EXPECT_TRUE(left_nothing());
    }
    // acme.conf is for a domain that an authority can reach.
    std::size_t there = 0;
    for (const auto& entry : fs::directory_iterator(source_dir() / "conf/examples")) {
        there += entry.path().extension() == ".conf" ? 1U : 0U;
    }
    EXPECT_EQ(count, there - 1);
}

TEST_F(Run, NamesATakenPortAndTheOptionThatChangesIt)
{
    for (const std::size_t taken : {0U, 1U}) {
        const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(ports_[taken]));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        ASSERT_EQ(::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        ASSERT_EQ(::listen(socket, 8), 0);
        const Finished finished = run(command());
        ::close(socket);
        EXPECT_EQ(finished.status, 1);
        EXPECT_NE(finished.err.find(std::to_string(ports_[taken])), std::string::npos)
            << finished.err;
        EXPECT_NE(finished.err.find(taken == 0 ? "--http-port" : "--https-port"), std::string::npos)
            << finished.err;
        EXPECT_EQ(finished.out.find("Ready"), std::string::npos);
        EXPECT_TRUE(left_nothing());
    }
}

TEST_F(Run, RefusesWhatCannotBeRight)
{
    for (const Strings& options :
         {Strings{"--http-port", "0"}, Strings{"--https-port", "70000"},
          Strings{"--listen", "here"}, Strings{"--http-port", std::to_string(ports_[1])},
          Strings{"--listen"}, Strings{"--example", "nonsense"}, Strings{"--example", "acme"},
          Strings{"--example", "redirect", "--example", "production"},
          Strings{"--define", "matrix"}, Strings{"--define", "HELLO_MATRIX=\"x"}}) {
        const Finished finished = run(command(options));
        EXPECT_EQ(finished.status, 2) << options.front() << finished.out;
        EXPECT_NE(finished.err.find("expected"), std::string::npos) << finished.err;
        EXPECT_TRUE(left_nothing());
    }
}

TEST_F(Run, SaysWhatIsWrongWithThePair)
{
    const Path tls = folder_.path() / "tls";
    make_cert(tls);
    make_cert(folder_.path() / "other");
    const std::string key = read_file(tls / "server.key");
    const std::string certificate = read_file(tls / "server.crt");
    const std::string other = read_file(folder_.path() / "other/server.key");
    ASSERT_EQ(run({.argv = {"openssl", "x509", "-req", "-in", tls / "server.csr", "-signkey",
                            tls / "server.key", "-days", "9", "-out", tls / "nameless"}})
                  .status,
              0);
    const std::string nameless = read_file(tls / "nameless");
    const struct {
        std::string key;
        std::string certificate;
        const char* shown;
    } cases[] = {{"", certificate, "server.key' is missing"},
                 {key, "", "server.crt' is missing"},
                 {other, certificate, "is not the key of"},
                 {"nonsense", certificate, "is not a private key"},
                 {key, "nonsense", "is not a certificate"},
                 {key, nameless, "names no host"}};
    for (const auto& [its_key, its_certificate, shown] : cases) {
        const std::pair<const char*, const std::string&> halves[] = {
            {"server.key", its_key}, {"server.crt", its_certificate}};
        for (const auto& [name, content] : halves) {
            fs::remove(tls / name);
            if (!content.empty()) {
                write_file(tls / name, content);
            }
        }
        const Finished finished = run(command());
        EXPECT_EQ(finished.status, 1) << shown << finished.out;
        EXPECT_NE(finished.err.find(shown), std::string::npos) << shown << ": " << finished.err;
        EXPECT_NE(finished.err.find("Next: "), std::string::npos) << finished.err;
        EXPECT_EQ(read_file(tls / "server.key"), its_key);
        EXPECT_EQ(read_file(tls / "server.crt"), its_certificate);
        EXPECT_TRUE(left_nothing());
    }
    fs::remove(tls / "server.key");
    fs::create_directory(tls / "server.key");
    const Finished folder = run(command());
    EXPECT_EQ(folder.status, 1);
    EXPECT_NE(folder.err.find("cannot read"), std::string::npos) << folder.err;
}

TEST_F(Run, SaysThatTheCertificateLacksTheAddress)
{
    make_cert(folder_.path() / "tls", {"--name", "www.example.org"});
    Process process(command());
    ASSERT_TRUE(eventually(
        [&] { return process.ended() || process.out().find("Ctrl-C") != std::string::npos; },
        std::chrono::minutes(1)))
        << process.out() << process.err();
    for (const char* const part : {"does not name 127.0.0.1", "www.example.org",
                                   "--name 'www.example.org' --name '127.0.0.1'"}) {
        EXPECT_NE(process.err().find(part), std::string::npos) << part << process.err();
    }
    std::string line = process.out().substr(process.out().find("curl "));
    line.erase(line.find('\n'));
    EXPECT_NE(line.find("https://www.example.org:"), std::string::npos) << line;
    EXPECT_EQ(run({.argv = {"sh", "-c", line + " --silent --noproxy '*'"}}).out, "Hello World!")
        << line;
    process.signal_group(SIGINT);
    EXPECT_EQ(process.wait(), 0) << process.err();
}

TEST_F(Run, SaysThatTheCertificateHasExpiredAndHowToRenewIt)
{
    const Path tls = folder_.path() / "tls";
    make_cert(tls);
    const std::string key = read_file(tls / "server.key");
    make_expired(tls / "server.csr", {"-signkey", tls / "server.key"}, tls / "server.crt");
    const Finished finished = run(command());
    EXPECT_EQ(finished.status, 1);
    EXPECT_NE(finished.err.find("expired"), std::string::npos) << finished.err;
    EXPECT_NE(finished.err.find("make-cert --force"), std::string::npos) << finished.err;
    EXPECT_EQ(read_file(tls / "server.key"), key);
}

// ---------------------------------------------------------------------------
// bench

class Bench : public testing::Test {
  protected:
    Bench() { fs::create_directories(folder_.path() / "tmp"); }

    // What it needs beside httpd and Python is not installed for these.
    Command command(const Strings& more = {}) const
    {
        Command result{
            .argv = {script("bench"), "--quick", "--case", "full,resumed", "--peer",
                     "mod_hello-event,mod_hello-prefork", "--output", folder_.path() / "out"},
            .environment = {"TMPDIR=" + (folder_.path() / "tmp").string()}};
        result.argv.insert(result.argv.end(), more.begin(), more.end());
        return result;
    }

    bool left_nothing() const { return fs::is_empty(folder_.path() / "tmp"); }

    TemporaryFolder folder_;
};

TEST_F(Bench, MeasuresAndLeavesNothing)
{
    const Finished finished = run(command());
    ASSERT_EQ(finished.status, 0) << finished.out << finished.err;
    EXPECT_NE(finished.out.find("mod_hello, prefork"), std::string::npos) << finished.out;
    const std::string json = read_file(folder_.path() / "out/bench.json");
    for (const char* const text : {R"("case": "resumed")", R"("server": "mod_hello-prefork")"}) {
        EXPECT_NE(json.find(text), std::string::npos) << text << json;
    }
    EXPECT_TRUE(left_nothing());
}

TEST_F(Bench, EndsAllItHasStartedWhenItIsStopped)
{
    Process process(command({"--seconds", "60"}));
    ASSERT_TRUE(eventually(
        [&] { return process.ended() || process.err().find("round 1") != std::string::npos; },
        std::chrono::minutes(2)))
        << process.err();
    process.signal_group(SIGINT);
    EXPECT_EQ(process.wait(), 130) << process.err();
    EXPECT_TRUE(left_nothing());
    for (const fs::directory_entry& entry : fs::directory_iterator("/proc")) {
        // The servers have the path of their temporary folder among their arguments.
        std::ifstream file(entry.path() / "cmdline");
        const std::string line{std::istreambuf_iterator<char>(file), {}};
        EXPECT_EQ(line.find(folder_.path() / "tmp"), std::string::npos) << entry.path() << line;
    }
}

TEST_F(Bench, RefusesWhatCannotBeRight)
{
    for (const Strings& options :
         {Strings{"--case", "htps-16"}, Strings{"--peer", "ngnix"}, Strings{"--rounds", "0"},
          Strings{"--seconds", "long"}, Strings{"--case", "latency"}, Strings{"--rounds"}}) {
        const Finished finished = run(command(options));
        EXPECT_EQ(finished.status, 2) << options.front() << finished.err;
        EXPECT_NE(finished.err.find("expected"), std::string::npos) << finished.err;
        EXPECT_TRUE(left_nothing());
    }
}

}  // namespace
}  // namespace hello
