// conf/examples/node.conf and haproxy.cfg as scripts/cluster runs them: real nodes behind a real
// HAProxy, which are drained, killed, stopped and changed while clients ask all the time.
//
// scripts/soak --cluster does it for long (HELLO_CLUSTER_SECONDS), and prints the figures.

#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <sstream>

#include "examples.h"
#include "haproxy.h"
#include "load.h"

namespace hello {
namespace {

bool is_long()
{
    return std::getenv("HELLO_CLUSTER_SECONDS") != nullptr;
}

/// How long clients ask before and after what befalls a node.
std::chrono::milliseconds a_while()
{
    const char* const wanted = std::getenv("HELLO_CLUSTER_SECONDS");
    return std::chrono::milliseconds(wanted == nullptr ? 300 : 1000 * std::atoi(wanted));
}

/// One of many clients'.
std::string address(int number)
{
    return "127.0.1." + std::to_string(number);
}

class Cluster : public testing::Test {
  protected:
    Cluster() : ports_(free_ports(2))
    {
        fs::create_directories(folder_.path() / "tmp");
        const Command program = haproxy({});
        // scripts/cluster looks for it on PATH.
        write_file(bin() / "haproxy", "#!/bin/sh\n" + program.environment.at(0) + " exec " +
                                          program.argv.at(0) + " \"$@\"\n");
        fs::permissions(bin() / "haproxy", fs::perms(0755));
    }

    const Path& folder() const { return folder_.path(); }
    Path bin() const { return folder() / "bin"; }
    Path certificate() const { return folder() / "tls/server.crt"; }

    Command command(const Strings& arguments) const
    {
        Command result{.argv = {checkout_ / "scripts/cluster"},
                       .environment = {"TMPDIR=" + (folder() / "tmp").string(), "TERM=xterm",
                                       "PATH=" + bin().string() + ":" + std::getenv("PATH")}};
        result.argv.insert(result.argv.end(), arguments.begin(), arguments.end());
        return result;
    }

    void start(const Strings& more = {}, bool terminal = false)
    {
        Strings arguments{"--http-port",  std::to_string(ports_[0]),
                          "--https-port", std::to_string(ports_[1]),
                          "--cert-dir",   folder() / "tls"};
        arguments.insert(arguments.end(), more.begin(), more.end());
        Command command = this->command(arguments);
        command.terminal = terminal;
        // From there the folder has another name.
        command.argv.insert(command.argv.begin(),
                            {"sh", "-c", R"(cd "$TMPDIR" && exec "$@")", "sh"});
        cluster_.emplace(command);
        ASSERT_TRUE(eventually(
            [&] { return cluster_->ended() || contains(cluster_->out(), "Ctrl-C stops it"); },
            std::chrono::minutes(2)))
            << cluster_->out() << cluster_->err();
        ASSERT_FALSE(cluster_->ended()) << cluster_->err();
        for (const auto& entry : fs::directory_iterator(folder() / "tmp")) {
            state_ = entry.path();
        }
    }

    /// Another terminal's command, which has to do what it says.
    std::string tell(const Strings& arguments) const
    {
        const Finished finished = run(command(arguments));
        EXPECT_EQ(finished.status, 0) << finished.out << finished.err;
        return finished.out;
    }

    std::string http(const std::string& path = "/") const
    {
        return "http://127.0.0.1:" + std::to_string(ports_[0]) + path;
    }
    std::string https(const std::string& path = "/") const
    {
        return "https://127.0.0.1:" + std::to_string(ports_[1]) + path;
    }
    Response get(const std::string& path, Request request = {}) const
    {
        request.url = https(path);
        request.ca = certificate();
        return fetch(request);
    }

    /// Where a node has its logs.
    Path logs(int node) const
    {
        for (const auto& entry : fs::directory_iterator(state_ / ("node" + std::to_string(node)))) {
            if (fs::exists(entry.path() / "httpd.pid")) {
                return entry.path();
            }
        }
        return "nowhere";
    }
    pid_t httpd(int node) const { return std::atoi(read_file(logs(node) / "httpd.pid").c_str()); }
    /// Sends a signal to a node's first process, or to all of them.
    void signal(int node, int number, bool to_all = false) const
    {
        const pid_t pid = httpd(node);
        ASSERT_GT(pid, 1) << read_file(state_ / ("node" + std::to_string(node)) / "out");
        ASSERT_EQ(::kill(to_all ? -pid : pid, number), 0);
    }
    std::string access_log(int node) const { return read_file(logs(node) / "access.log"); }

    /// One of HAProxy's figures of a node, by its place in the table, from 0.
    std::string statistic(int node, int place) const
    {
        const Finished finished = run({.argv = {"curl", "-s", "--unix-socket",
                                                state_ / "statistics", "http://localhost/;csv"}});
        const std::vector<Strings> found =
            matches_of(finished.out, "\nnodes,node" + std::to_string(node) + ",(?:[^,]*,){" +
                                         std::to_string(place - 2) + "}([^,]*),");
        return found.empty() ? finished.err : found.front()[1];
    }
    /// HAProxy's word on a node: UP, NOLB (it drains), DOWN.
    std::string seen(int node) const { return statistic(node, 17); }
    std::string connections(int node) const { return statistic(node, 4); }

    int https_port() const { return ports_[1]; }
    Process& cluster() { return *cluster_; }
    const Path& state() const { return state_; }

    /// Ends it as a terminal does, and sees that nothing is left.
    void end()
    {
        if (HasFailure()) {
            std::cout << read_file(state_ / "haproxy.log");
            for (const int node : {1, 2, 3}) {
                std::cout << node << ":\n" << read_file(logs(node) / "error.log");
            }
        }
        cluster_->signal_group(SIGINT);
        EXPECT_EQ(cluster_->wait(), 0) << cluster_->err();
        EXPECT_TRUE(eventually([&] { return !cluster_->group_alive(); }));
        EXPECT_TRUE(fs::is_empty(folder() / "tmp"));
        EXPECT_EQ(fetch({.url = http()}).status, 0);
        for (const int node : {1, 2, 3}) {
            EXPECT_EQ(fetch({.url = "http://127.0.0.1" + std::to_string(node) + ":" +
                                    std::to_string(ports_[0]) + "/"})
                          .status,
                      0);
        }
    }

    /// Restarts all nodes gracefully. Nobody of before is left.
    void restart() const
    {
        std::set<pid_t> before;
        for (const int node : {1, 2, 3}) {
            for (const pid_t child : children_of(httpd(node))) {
                before.insert(child);
            }
            signal(node, SIGUSR1);
        }
        ASSERT_TRUE(eventually([&] {
            return std::none_of(before.begin(), before.end(),
                                [](pid_t pid) { return is_running(pid); });
        }));
    }

    /// What clients are to be told, who ask as long as this object lives.
    void prepare(Shared& shared) const
    {
        shared.http = http();
        shared.https = https();
        shared.ca = folder() / "bundle.crt";
        shared.newest = 1;
        // HAProxy sends a client to the same node again.
        shared.many = true;
        // There are two cores for the nodes, their balancer, the clients and a compiler.
        shared.pace = 5;
        write_file(shared.ca, read_file(certificate()));
    }

    /// A copy of the checkout, whose site says "message 1", which the test may change.
    void copy_checkout()
    {
        checkout_ = folder() / "checkout";
        hello::copy_checkout(checkout_);
        set_message(1);
    }
    void set_message(int number) const
    {
        std::string site = read_file(source_dir() / "conf/hello.conf");
        site =
            replaced(site, "SetHandler hello\n",
                     "SetHandler hello\nHelloMessage \"message " + std::to_string(number) + "\"\n");
        write_file(checkout_ / "conf/hello.conf",
                   "LoadModule authz_host_module \"${HELLO_MODULES}/mod_authz_host.so\"\n" + site +
                       "<LocationMatch \"^/office$\">\nSetHandler hello\nHelloFirst On\n"
                       "Require ip 127.0.0.2\n</LocationMatch>\n");
    }
    const Path& checkout() const { return checkout_; }

    /// What became of all requests; how many were lost.
    static long print(const char* what, const Shared& shared)
    {
        long lost = 0;
        std::ostringstream out;
        Tally sum;
        for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
            const Tally& tally = shared.tallies.at(kind);
            sum.answered += tally.answered;
            sum.retried += tally.retried;
            sum.unread += tally.unread;
            for (const Loss& loss : tally.losses) {
                out << "  lost: " << kinds.at(kind).name << ": " << loss.why << '\n';
                ++lost;
            }
        }
        std::cout << what << ": " << sum.answered << " answered, " << lost << " lost, "
                  << sum.retried << " sent again, " << sum.unread << " never read\n"
                  << out.str();
        return lost;
    }

  private:
    TemporaryFolder folder_;
    std::vector<int> ports_;
    Path checkout_ = source_dir();
    Path state_;
    std::optional<Process> cluster_;
};

void wait(std::chrono::milliseconds time)
{
    const auto begun = Clock::now();
    EXPECT_TRUE(
        eventually([&] { return Clock::now() - begun >= time; }, time + std::chrono::seconds(1)));
}

TEST_F(Cluster, DoesWhatItIsToldAndLeavesNothing)
{
    start({"--example", "whoami"});
    for (const std::string& line : {std::string("Ready\n"), http(), https()}) {
        EXPECT_TRUE(contains(cluster().out(), "  " + line) || contains(cluster().out(), line))
            << line;
    }
    const std::string curl = first_match(cluster().out(), "\n  (curl .*)\n");
    ASSERT_NE(curl, "");
    EXPECT_EQ(run({.argv = {"sh", "-c", curl + " --silent"}}).out, "Hello World!");

    // A client's address is its own, in answers and in logs.
    const Response me = get("/whoami", {.from = "127.0.0.2"});
    EXPECT_TRUE(contains(me.body, "\"client_address\": \"127.0.0.2\"")) << me;
    const auto logged = [&] { return access_log(1) + access_log(2) + access_log(3); };
    EXPECT_TRUE(eventually([&] { return contains(logged(), "127.0.0.2 - - "); })) << logged();
    // Checks are not logged.
    EXPECT_FALSE(contains(logged(), "/healthz")) << logged();

    EXPECT_EQ(tell({"drain", "2"}), "node 2: draining\n");
    EXPECT_EQ(seen(2), "NOLB");
    const std::string before = access_log(2);
    for (int i = 1; i <= 12; ++i) {
        EXPECT_EQ(get("/", {.from = address(i)}).status, 200);
    }
    EXPECT_EQ(access_log(2), before) << "a drained node gets no new connection";
    EXPECT_EQ(tell({"start", "2"}), "node 2: up\n");
    int number = 0;
    EXPECT_TRUE(eventually([&] {
        return get("/", {.from = address(1 + number++ % 60)}).status == 200 &&
               access_log(2) != before;
    }));
    // A run that was killed outright leaves its folder; what is meant is the one that lives.
    for (const char* const name : {"mod_hello.run.000000", "mod_hello.run.zzzzzz"}) {
        const Path left = state() / "node3" / name;
        fs::create_directory(left);
        write_file(left / "httpd.pid", "99999999\n");
    }
    EXPECT_EQ(tell({"kill", "3"}), "node 3: down\n");
    EXPECT_TRUE(eventually([&] { return contains(cluster().out(), "node 3: down\n"); }));
    EXPECT_EQ(get("/").status, 200);
    EXPECT_EQ(tell({"start", "3"}), "node 3: up\n");
    EXPECT_EQ(run(command({"drain", "4"})).status, 2);
    EXPECT_EQ(run(command({"drain"})).status, 2);
    EXPECT_EQ(run(command({"drain", "1", "drain", "2"})).status, 2);

    // What its user alone may read, and nobody else take a lock on.
    for (const auto& entry : fs::directory_iterator(state())) {
        if (!entry.is_directory()) {
            EXPECT_EQ(entry.status().permissions() & fs::perms(0077), fs::perms::none) << entry;
        }
    }
    // A certificate that is being written changes nothing.
    const std::string whole = read_file(certificate());
    write_file(certificate(), whole.substr(0, whole.size() / 2));
    const Finished early = run(command({"roll"}));
    EXPECT_EQ(early.status, 1) << early.out;
    EXPECT_TRUE(contains(early.err, "not a whole one yet; nothing was changed")) << early.err;
    write_file(certificate(), whole);
    EXPECT_EQ(get("/").status, 200);
    end();
    EXPECT_EQ(run(command({"roll"})).status, 1) << "nothing runs";
}

TEST_F(Cluster, SaysWhatItCannotWorkWith)
{
    Command named = command({});
    named.environment[0] = "TMPDIR=" + (folder() / "a b").string();
    fs::create_directory(folder() / "a b");
    write_file(folder() / "tls/server.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\n");
    for (const auto& [asked, explained] :
         {std::pair(named, "choose another TMPDIR"),
          std::pair(command({"--cert-dir", folder() / "tls"}), "has a pass phrase")}) {
        const Finished refused = run(asked);
        EXPECT_EQ(refused.status, 1) << refused.out;
        EXPECT_TRUE(contains(refused.err, explained)) << refused.err;
    }
    EXPECT_TRUE(fs::is_empty(folder() / "a b"));
}

TEST_F(Cluster, ARollLosesNothingAndChangesEveryNode)
{
    copy_checkout();
    start();
    make_cert(folder() / "new");
    Shared shared;
    prepare(shared);
    write_file(shared.ca, read_file(certificate()) + read_file(folder() / "new/server.crt"));
    if (!is_long()) {
        // Most of the minute that it takes is waiting for them.
        shared.pace *= 6;
    }
    std::map<int, pid_t> before;
    for (const int node : {1, 2, 3}) {
        before[node] = httpd(node);
    }
    Clients clients(shared);
    wait(a_while());
    // Another message, another certificate, another build.
    set_message(2);
    shared.newest = 2;
    for (const char* const name : {"server.key", "server.crt"}) {
        write_file(folder() / "tls" / name, read_file(folder() / "new" / name));
    }
    fs::permissions(folder() / "tls/server.key", fs::perms(0600));
    std::ofstream(checkout() / "mod_hello.cpp", std::ios::app) << "// another build\n";
    const std::string said = tell({"roll"});
    EXPECT_TRUE(contains(said, "HAProxy: knows the new certificate\n")) << said;
    wait(a_while());
    clients.stop();
    EXPECT_EQ(print("roll", shared), 0);
    for (const int node : {1, 2, 3}) {
        EXPECT_NE(httpd(node), before[node]);
        Request request{.url = https(), .ca = folder() / "new/server.crt"};
        request.resolve_to = "127.0.0.1" + std::to_string(node);
        EXPECT_EQ(fetch(request).body, "message 2") << node << fetch(request);
    }
    end();
}

/// What befalls a node, and what brings it back.
struct Fate {
    const char* name;
    int signal;
};

class ClusterOf : public Cluster, public testing::WithParamInterface<Fate> {};

INSTANTIATE_TEST_SUITE_P(, ClusterOf,
                         testing::Values(Fate{"killed", SIGKILL}, Fate{"stopped", SIGSTOP}),
                         [](const auto& fate) { return std::string(fate.param.name); });

TEST_P(ClusterOf, ANodeThatIsGoneTakesOnlyWhatItHadWithIt)
{
    copy_checkout();
    start();
    Shared shared;
    prepare(shared);
    Clients clients(shared);
    wait(a_while());
    const auto gone = Clock::now();
    signal(2, GetParam().signal, true);
    ASSERT_TRUE(eventually([&] { return seen(2) == "DOWN"; }));
    const auto down = Clock::now();
    const auto took = std::chrono::duration<double>(down - gone).count();
    // Here, others may use the machine meanwhile.
    const double limit = GetParam().signal == SIGKILL ? 1.5 : 3.5;
    EXPECT_LE(took, is_long() ? limit : limit + 3) << "seconds";
    // Who is connected to it is told so, and does not wait; but for one, now and then, whose
    // connection HAProxy is making at that very moment.
    EXPECT_TRUE(eventually([&] { return connections(2) == "0" || connections(2) == "1"; }))
        << connections(2);
    wait(a_while());
    if (GetParam().signal == SIGSTOP) {
        signal(2, SIGCONT, true);
        EXPECT_TRUE(eventually([&] { return seen(2) == "UP"; })) << seen(2);
    } else {
        EXPECT_EQ(tell({"start", "2"}), "node 2: up\n");
    }
    wait(a_while());
    clients.stop();
    std::cout << GetParam().name << ": down after " << took << " s\n";
    print(GetParam().name, shared);
    long lost = 0;
    for (const Tally& tally : shared.tallies) {
        for (const Loss& loss : tally.losses) {
            ++lost;
            EXPECT_LT(loss.begun, down) << "lost after the node was marked down: " << loss.why;
        }
    }
    // Each client asks for one thing at a time.
    EXPECT_LE(lost, static_cast<long>(2 * clients.count()));
    end();
}

TEST_F(Cluster, AReloadOfHaproxyAndOfTheNodesLosesNothing)
{
    copy_checkout();
    start();
    // Who may come in is asked of the client's address, not of the balancer's.
    EXPECT_EQ(get("/office", {.from = "127.0.0.2"}).status, 200);
    EXPECT_EQ(get("/office").status, 403);
    Shared shared;
    prepare(shared);
    Clients clients(shared);
    for (int i = 0; i < 3; ++i) {
        wait(a_while());
        const std::string before = read_file(state() / "haproxy.log");
        const pid_t balancer = std::atoi(read_file(state() / "haproxy.pid").c_str());
        ASSERT_GT(balancer, 1);
        ASSERT_EQ(::kill(balancer, SIGUSR2), 0);
        ASSERT_TRUE(eventually([&] {
            return contains(read_file(state() / "haproxy.log").substr(before.size()),
                            "Loading success");
        }));
        restart();
    }
    wait(a_while());
    clients.stop();
    EXPECT_EQ(print("reloads", shared), 0);
    end();
}

TEST_F(Cluster, AClientResumesItsSession)
{
    start({}, true);
    // On a terminal, the table is drawn again over itself.
    EXPECT_TRUE(eventually([&] { return contains(cluster().out(), "\033[4A\033[Knode "); }))
        << cluster().out();
    EXPECT_TRUE(contains(cluster().out(), "\033[K   3  up  ")) << cluster().out();
    const auto handshake = [&](const char* version, int number,
                               const Strings& options) -> std::string {
        Command command{
            .argv = {"openssl", "s_client", version, "-bind", address(number), "-connect",
                     "127.0.0.1:" + std::to_string(https_port()), "-servername", "localhost",
                     "-CAfile", certificate(), "-verify_return_error", "-ign_eof"},
            .input = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"};
        command.argv.insert(command.argv.end(), options.begin(), options.end());
        const Finished finished = run(command);
        if (!contains(finished.out, "Hello World!")) {
            return "failed: " + finished.out + finished.err;
        }
        return contains(finished.out, "\nReused, ") ? "resumed" : "full";
    };
    for (const char* const version : {"-tls1_2", "-tls1_3"}) {
        for (int number = 1; number <= 12; ++number) {
            std::string session =
                folder() / (std::string("session") + version + std::to_string(number));
            EXPECT_EQ(handshake(version, number, {"-sess_out", session}), "full");
            for (int i = 0; i < 3; ++i) {
                const std::string next = session + std::to_string(i);
                EXPECT_EQ(handshake(version, number, {"-sess_in", session, "-sess_out", next}),
                          "resumed")
                    << version << number;
                // TLS 1.3 has another one for each time.
                if (fs::exists(next)) {
                    session = next;
                }
            }
        }
    }
    for (const int node : {1, 2, 3}) {
        EXPECT_TRUE(contains(access_log(node), "\"GET / ")) << node;
    }
    end();
}

TEST_F(Cluster, ALoginIsValidOnEachNodeAndALogoutToo)
{
    start({"--example", "login"});
    const std::string shown = cluster().out();
    const std::string password = first_match(shown, "The user ada has the password (.*)\n");
    ASSERT_NE(password, "") << shown;
    Request login{.method = "POST",
                  .body = "httpd_username=ada&httpd_password=" + replaced(password, "+", "%2B")};
    const Response in = get("/login?to=/private", login);
    ASSERT_EQ(in.status, 302) << in;
    const std::string cookie = in.header("set-cookie").value_or("");
    const std::string header = "Cookie: " + cookie.substr(0, cookie.find(';'));
    for (int i = 1; i <= 24; ++i) {
        const Response greeted = get("/private", {.headers = {header}, .from = address(i)});
        EXPECT_TRUE(contains(greeted.body, "Hello ada!")) << greeted;
    }
    for (const int node : {1, 2, 3}) {
        EXPECT_TRUE(contains(access_log(node), "/private")) << node;
    }
    const Response out = get("/logout", {.method = "POST", .headers = {header}, .body = ""});
    EXPECT_EQ(out.status, 307) << out;
    const std::string forgotten = out.header("set-cookie").value_or("");
    for (int i = 1; i <= 12; ++i) {
        const Request again{.headers = {"Cookie: " + forgotten.substr(0, forgotten.find(';'))},
                            .from = address(i)};
        EXPECT_EQ(get("/private", again).status, 302) << forgotten;
    }
    end();
}

/// What processes share counts once: kB.
long proportional_kib(pid_t pid)
{
    const std::string text = read_file("/proc/" + std::to_string(pid) + "/smaps_rollup");
    const auto at = text.find("\nPss:");
    return at == std::string::npos ? 0 : std::atol(text.c_str() + at + 5);
}

TEST_F(Cluster, KeepsConnectionsThatAreIdle)
{
    const int count = is_long() ? 1000 : 60;
    const std::chrono::seconds idle(is_long() ? 60 : 1);
    rlimit limit{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
    copy_checkout();
    std::ofstream(checkout() / "conf/httpd.conf", std::ios::app) << "KeepAliveTimeout 80\n";
    start();
    const auto memory = [this] {
        std::pair<long, long> kib;
        for (const pid_t worker :
             children_of(std::atoi(read_file(state() / "haproxy.pid").c_str()))) {
            kib.first += proportional_kib(worker);
        }
        for (const int node : {1, 2, 3}) {
            kib.second += proportional_kib(httpd(node));
            for (const pid_t child : children_of(httpd(node))) {
                kib.second += proportional_kib(child);
            }
        }
        return kib;
    };
    const auto before = memory();
    std::vector<std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>> clients;
    std::string body;
    const std::string url = https();
    const Path ca = certificate();
    long lost = 0;
    long anew = 0;
    const auto ask = [&](CURL* client) {
        body.clear();
        long connections = 0;
        const bool is_answered = curl_easy_perform(client) == CURLE_OK && body == "message 1";
        curl_easy_getinfo(client, CURLINFO_NUM_CONNECTS, &connections);
        lost += is_answered ? 0 : 1;
        anew += connections;
    };
    for (int i = 0; i < count; ++i) {
        CURL* const client = clients.emplace_back(curl_easy_init(), curl_easy_cleanup).get();
        // haproxy.cfg lets one address have 200.
        const std::string from = "host!127.0.0." + std::to_string(20 + i / 100);
        curl_easy_setopt(client, CURLOPT_URL, url.c_str());
        curl_easy_setopt(client, CURLOPT_PROXY, "");
        curl_easy_setopt(client, CURLOPT_CAINFO, ca.c_str());
        curl_easy_setopt(client, CURLOPT_INTERFACE, from.c_str());
        curl_easy_setopt(client, CURLOPT_TIMEOUT, static_cast<long>(patience.count()));
        curl_easy_setopt(client, CURLOPT_WRITEFUNCTION, take);
        curl_easy_setopt(client, CURLOPT_WRITEDATA, &body);
        curl_easy_setopt(client, CURLOPT_HTTP_VERSION,
                         i % 2 == 0 ? CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_2TLS);
        ask(client);
    }
    EXPECT_EQ(lost, 0);
    EXPECT_EQ(anew, count);
    const auto with = memory();
    wait(idle);
    anew = 0;
    for (const auto& client : clients) {
        ask(client.get());
    }
    EXPECT_EQ(lost, 0);
    EXPECT_EQ(anew, 0) << "had to be made anew";
    std::cout << count << " idle for " << idle.count() << " s: " << anew << " made anew, HAProxy "
              << before.first << " to " << with.first << " kB, nodes " << before.second << " to "
              << with.second << " kB\n";
    clients.clear();
    end();
}

// It stands in tests of the recipes too: recipe("node.conf").

}  // namespace
}  // namespace hello
