// scripts/run: it serves the site and the recipes until it is stopped, and says what is wrong
// with a port or a pair.

#include <csignal>

#include "examples.h"
#include "scripts.h"

namespace hello {
namespace {

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

    /// Whether it comes to serve.
    static bool gets_ready(Process& process)
    {
        const auto is_ready = [&] { return contains(process.out(), "Ctrl-C"); };
        return eventually([&] { return process.ended() || is_ready(); }, std::chrono::minutes(1)) &&
               !process.ended();
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
        ASSERT_TRUE(gets_ready(process)) << process.out() << process.err();
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
        ASSERT_TRUE(gets_ready(*process)) << process->out() << process->err();
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
        ASSERT_TRUE(gets_ready(process)) << process.out() << process.err();
        EXPECT_EQ(contains(process.err(), "the recipe production goes without mod_qos"),
                  names.front() == "production" && !fs::exists(httpd_modules() / "mod_qos.so"));
        for (const std::string& name : names) {
            const std::string shown = trial(name, process.out());
            EXPECT_TRUE(finds(shown, trial_result(name), true)) << name << '\n'
                                                                << shown << process.out();
            EXPECT_NE(process.out().find("\n  " + name + ": http"), std::string::npos)
                << process.out();
        }
        // The shown command is what can be pasted by itself.
        const std::string shown = first_match(process.out(), "\n    (curl [^;\n]*|touch .*)\n");
        ASSERT_NE(shown, "") << process.out();
        const Finished pasted =
            run({.argv = {"sh", "-c", "cd '" + source_dir().string() + "'\n" + shown}});
        EXPECT_EQ(pasted.status, 0) << shown << pasted.err;
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
        Finished finished{};
        {
            const Descriptor somebody = listening_socket(ports_[taken]);
            finished = run(command());
        }
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
    ASSERT_TRUE(gets_ready(process)) << process.out() << process.err();
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

}  // namespace
}  // namespace hello
