// scripts/install and scripts/uninstall, with a copy of Debian's /etc/apache2 that scripts/test has
// unpacked: what is served, and that what was is put back. The configuration of this machine is not
// touched.

#include <unistd.h>

#include "examples.h"
#include "install.h"

namespace hello {
namespace {

TEST_F(InstallOnDebian, ServesAndUninstallPutsBackWhatWas)
{
    start();
    const pid_t pid = server();
    const auto before = state();
    const std::string page = fetch({.url = url("http")}).body;

    const Finished installed = install();
    ASSERT_EQ(installed.status, 0) << installed.err;
    EXPECT_TRUE(contains(installed.out, url("http"))) << installed.out;
    EXPECT_TRUE(contains(installed.out, url("https"))) << installed.out;
    EXPECT_FALSE(contains(installed.err, "is answered by")) << installed.err;
    // With a certificate of its own, which is not that of scripts/run.
    EXPECT_TRUE(
        contains(installed.out, "trust-cert '" + (etc() / "hello/server.crt").string() + "'"))
        << installed.out;
    EXPECT_EQ(ask().body, "Hello World!");
    EXPECT_EQ(fetch({.url = url("https") + "x", .ca = etc() / "hello/server.crt"}).status, 404);
    for (const char* const host : {"127.0.0.1", "localhost"}) {
        EXPECT_EQ(fetch({.url = url("http", host)}).body, "Hello World!") << host;
    }
    EXPECT_EQ(fetch({.url = url("http"), .headers = {"Host: [::1]"}}).body, "Hello World!");
    EXPECT_EQ(fetch({.url = url("http"), .headers = {"Host: other"}}).body, page)
        << "the person's site has lost its place";
    EXPECT_EQ(fs::status(etc() / "hello/server.key").permissions(), fs::perms(0600));
    const std::string curl = installed.out.substr(installed.out.find("curl --cacert"));
    EXPECT_EQ(run({.argv = {"sh", "-c", curl.substr(0, curl.find('\n')) + " --silent"}}).out,
              "Hello World!");
    EXPECT_EQ(key_exchange(ports_[1], etc() / "hello/server.crt"), best_key_exchange());

    // Once more: nothing is made anew.
    const auto with = state();
    ASSERT_EQ(install().status, 0);
    const Strings rewritten = differences(with, state());
    EXPECT_EQ(rewritten, Strings{"hello/manifest"});
    EXPECT_EQ(ask().body, "Hello World!");

    const Finished removed = uninstall();
    ASSERT_EQ(removed.status, 0) << removed.err;
    EXPECT_EQ(differences(before, state()), Strings{});
    EXPECT_EQ(server(), pid) << "a graceful restart keeps the process";
    EXPECT_TRUE(eventually([&] { return ask().status == 0; }));
    EXPECT_EQ(fetch({.url = url("http")}).body, page);
    EXPECT_EQ(uninstall().status, 0) << "when there is nothing to take away";
}

TEST_F(InstallOnDebian, RecipesForAllSitesAreServedAndTakenAwayAgain)
{
    start();
    const auto before = state();
    const Strings names{"acme-answer", "balancer",    "drain",  "errors",
                        "health",      "maintenance", "matrix", "whoami"};
    Strings options{"--no-site",
                    "--define",
                    "HELLO_ACME_THUMBPRINT=thumb",
                    "--define",
                    "HELLO_BALANCER=192.0.2.1",
                    "--define",
                    "HELLO_MATRIX=chat.example.org",
                    "--define",
                    "HELLO_DRAIN=" + (root() / "drain").string(),
                    "--define",
                    "HELLO_MAINTENANCE=" + (root() / "maintenance").string()};
    for (const std::string& name : names) {
        options.insert(options.end(), {"--example", name});
    }
    expected_ = "AH01630";
    Strings dry = options;
    dry.emplace_back("--dry-run");
    const Finished told = install(dry);
    EXPECT_EQ(told.status, 0) << told.err;
    EXPECT_TRUE(contains(told.out, "a2enconf hello-acme-answer hello-balancer ")) << told.out;
    EXPECT_EQ(differences(before, state()), Strings{});

    environment_.emplace_back("SUDO_USER=ada");
    const Finished installed = install(options);
    ASSERT_EQ(installed.status, 0) << installed.err;
    // What only root may touch needs it, but this test's file does not.
    const std::string printed = replaced(installed.out, "AS_ROOT='sudo'", "AS_ROOT=''");
    EXPECT_NE(printed, installed.out);
    const std::string maintenance = (root() / "maintenance").string();
    EXPECT_TRUE(contains(installed.out, "\n    sudo touch " + maintenance + "; curl ") &&
                contains(installed.out, "; sudo rm " + maintenance + "\n"))
        << installed.out;
    for (const std::string& name : names) {
        EXPECT_TRUE(contains(installed.out, "\n  " + name + ": http://localhost:"))
            << installed.out;
        const std::string shown = trial(name, printed);
        EXPECT_TRUE(finds(shown, trial_result(name), true)) << name << shown;
        EXPECT_TRUE(fs::is_symlink(etc() / ("conf-enabled/hello-" + name + ".conf")));
    }
    const Finished again = install({"--no-site"});
    EXPECT_EQ(again.status, 0) << again.err;
    EXPECT_EQ(fetch({.url = url("http") + "healthz"}).body, "ok");
    const Finished removed = uninstall();
    EXPECT_EQ(removed.status, 0) << removed.err;
    EXPECT_EQ(differences(before, state()), Strings{});
    EXPECT_EQ(fetch({.url = url("http") + "healthz"}).status, 404);
}

// By the README's commands for several machines.
TEST_F(InstallOnDebian, MakesThisMachineOneNodeOfSeveral)
{
    start();
    const auto before = state();
    make_cert(root() / "keys", {"--name", "www.example.org"});
    fs::create_directories(etc() / "hello");
    for (const char* const name : {"server.key", "server.crt"}) {
        fs::copy(root() / "keys" / name, etc() / "hello" / name);
    }
    expected_ = "AH01630";
    const Finished installed =
        install({"--example", "redirect", "--define", "HELLO_HOST=www.example.org", "--example",
                 "node", "--define", "HELLO_BALANCER=127.0.0.7", "--define",
                 "HELLO_DRAIN=" + (root() / "drain").string()});
    ASSERT_EQ(installed.status, 0) << installed.out << installed.err;
    Request request{.url = "https://www.example.org:" + std::to_string(ports_[1]) + "/",
                    .ca = etc() / "hello/server.crt",
                    .resolve_to = "127.0.0.1",
                    .from = "127.0.0.7",
                    .proxied = true};
    EXPECT_EQ(fetch(request).body, "Hello World!") << fetch(request);
    request.url += "healthz";
    EXPECT_EQ(fetch(request).body, "ok");
    write_file(root() / "drain", "");
    EXPECT_EQ(fetch(request).status, 404);
    request.from = "127.0.0.9";
    EXPECT_EQ(fetch(request).status, 403) << "by anybody";
    request.proxied = false;
    EXPECT_EQ(fetch(request).status, 0) << "without a header";
    ASSERT_EQ(uninstall().status, 0);
    for (const char* const name : {"server.key", "server.crt"}) {
        EXPECT_TRUE(fs::remove(etc() / "hello" / name)) << "what a person has put there stays";
    }
    fs::remove(etc() / "hello");
    EXPECT_EQ(differences(before, state()), Strings{});
}

TEST_F(InstallOnDebian, ARecipeWithPasswordsAsksForThemFirst)
{
    start();
    const auto before = state();
    for (const char* const name : {"basic-auth", "login"}) {
        SCOPED_TRACE(name);
        const Finished refused = install({"--example", name});
        EXPECT_EQ(refused.status, 1);
        EXPECT_TRUE(contains(refused.err, "htpasswd -c -B")) << refused.err;
        EXPECT_EQ(differences(before, state()), Strings{});
    }
    expected_ = "AH0(1630|1617|1618)";
    const Finished made =
        run({.argv = {"htpasswd", "-n", "-i", "-B", "-C", "4", "ada"}, .input = "secret\n"});
    write_file(etc() / "hello/passwords", made.out);
    for (const std::string name : {"basic-auth", "login"}) {
        SCOPED_TRACE(name);
        const Finished installed = install({"--example", name, "--example", "redirect"});
        ASSERT_EQ(installed.status, 0) << installed.err;
        // What the shell of who knows it has.
        std::string printed = installed.out;
        const std::string assigned = "as they stand there: ";
        printed.insert(printed.find(assigned) + assigned.size(), "PASSWORD=secret ");
        for (const std::string& recipe : {name, std::string("redirect")}) {
            const std::string shown = trial(recipe, printed);
            EXPECT_TRUE(finds(shown, trial_result(recipe), true)) << recipe << shown;
        }
        // An upgrade leaves the site as it is.
        ASSERT_EQ(install().status, 0);
        EXPECT_EQ(fetch({.url = url("http", "localhost")}).status, 308);
        const Finished removed = uninstall();
        EXPECT_EQ(removed.status, 0) << removed.err;
        EXPECT_EQ(differences(before, state()), (Strings{"hello", "hello/passwords"}));
    }
}

TEST_F(InstallOnDebian, RoutesAreThoseOfOneSite)
{
    start();
    const auto before = state();
    for (int i = 0; i < 2; ++i) {
        // The second time is an upgrade.
        const Finished installed = install(i == 0 ? Strings{"--example", "routes"} : Strings{});
        ASSERT_EQ(installed.status, 0) << installed.err;
        for (const char* const scheme : {"http", "https"}) {
            const auto answer = [&](const std::string& path) {
                return fetch(
                    {.url = url(scheme, "localhost") + path, .ca = etc() / "hello/server.crt"});
            };
            EXPECT_EQ(answer("").body, "Hello World!");
            EXPECT_EQ(answer("hello/Ada").body, "<h1>Hello Ada!</h1>") << scheme << i;
            EXPECT_EQ(answer("hello/a/b").status, 404);
        }
        if (i == 1) {
            // What somebody has changed is left as it is, and no obstacle.
            edit("sites-available/hello.conf", "ServerAlias", "# mine\n    ServerAlias");
            for (const Strings& options : {Strings{}, Strings{"--example", "routes"}}) {
                const Finished again = install(options);
                EXPECT_EQ(again.status, 0) << again.err;
                EXPECT_TRUE(contains(again.out, "Left as it is")) << again.out;
            }
            EXPECT_EQ(fetch({.url = url("http") + "hello/Ada"}).body, "<h1>Hello Ada!</h1>");
        }
        EXPECT_EQ(
            fetch({.url = url("http", "other.example") + "index.html", .resolve_to = "127.0.0.1"})
                .body,
            "a page");
    }
    ASSERT_EQ(uninstall().status, 0);
    EXPECT_EQ(differences(before, state()), Strings{"sites-available/hello.conf"});
}

TEST_F(InstallOnDebian, AskedForCertificatesOfClientsItNeedsThoseOfTheCa)
{
    start();
    make_client_cert(root() / "clients", "Ada");
    for (const char* const name : {"ca.crt", "ca.crl"}) {
        const Finished refused = install({"--example", "client-cert"});
        EXPECT_EQ(refused.status, 1);
        EXPECT_TRUE(contains(refused.err, (etc() / "hello" / name).string())) << refused.err;
        write_file(etc() / "hello" / name, read_file(root() / "clients" / name));
    }
    expected_ = "AH02039|AH02008|AH02261";  // whoever has none is refused
    const Finished installed = install({"--example", "client-cert"});
    ASSERT_EQ(installed.status, 0) << installed.err;
    const std::string shown =
        trial("client-cert", replaced(installed.out, "CLIENT='clients/client'",
                                      "CLIENT='" + (root() / "clients/client").string() + "'"));
    EXPECT_TRUE(finds(shown, trial_result("client-cert"))) << shown;
    const Finished removed = uninstall();
    EXPECT_EQ(removed.status, 0) << removed.err;
    EXPECT_TRUE(fs::exists(etc() / "hello/ca.crl"));
}

TEST_F(InstallOnDebian, ARecipeThatCannotBeServedChangesNothing)
{
    start();
    const auto before = state();
    const struct {
        Strings options;
        int status;
        const char* explained;
    } cases[] = {
        {{"--example", "nonsense"}, 2, "expected one of: acme"},
        {{"--example", "../hello"}, 2, "expected one of: "},
        {{"--example", "matrix"}, 2, "--define HELLO_MATRIX=... as the head of"},
        {{"--example", "acme", "--define", "HELLO_DOMAIN=x.example"}, 2, "HELLO_ACME_CONTACT"},
        {{"--example", "redirect", "--example", "production"}, 2, "both bring the whole site"},
        {{"--example", "redirect", "--no-site"}, 2, "without --no-site"},
        {{"--example", "routes", "--no-site"}, 2, "expected it without --no-site"},
        {{"--example", "client-cert"}, 1, "make-client-cert"},
        {{"--define", "MATRIX=x"}, 2, "expected a name that a recipe's head has"},
        {{"--define", "HELLO_MATRIX=\"x"}, 2, "without \", "},
        {{"--no-site", "--example", "matrix", "--define", "HELLO_MATRIX=%{NO}", "--example",
          "drain", "--define", "HELLO_DRAIN='"},
         1,
         "configtest failed"},
    };
    for (const auto& [options, status, explained] : cases) {
        const Finished refused = install(options);
        EXPECT_EQ(refused.status, status) << explained << refused.out << refused.err;
        EXPECT_TRUE(contains(refused.err, explained)) << explained << refused.err;
        EXPECT_EQ(differences(before, state()), Strings{}) << explained;
    }
}

TEST_F(InstallOnDebian, SaysWhatARecipeGoesWithout)
{
    const std::string without = "the recipe production goes without mod_qos";
    const Strings options{"--example", "production", "--dry-run"};
    const Finished missing = install(options);
    EXPECT_EQ(missing.status, 0) << missing.err;
    EXPECT_TRUE(contains(missing.err, without)) << missing.err;
    EXPECT_TRUE(contains(missing.err, "Next: where that matters, a")) << missing.err;
    write_file(etc() / "mods-enabled/qos.load", "");
    EXPECT_FALSE(contains(install(options).err, without));
}

TEST_F(InstallOnDebian, StartsAServerThatDoesNotRun)
{
    const auto before = state();
    ASSERT_EQ(install().status, 0);
    EXPECT_EQ(ask().body, "Hello World!");
    stop();
    ASSERT_EQ(uninstall().status, 0);
    EXPECT_EQ(differences(before, state()), Strings{});
    EXPECT_FALSE(serves());
}

TEST_F(InstallOnDebian, NoSiteIsTheModuleAlone)
{
    const auto before = state();
    const Finished installed = install({"--no-site"});
    ASSERT_EQ(installed.status, 0) << installed.err;
    EXPECT_EQ(
        differences(before, state()),
        (Strings{"hello", "hello/manifest", "mods-available/hello.load", "mods-enabled/hello.load",
                 "modules/mod_hello.so", "state/module/enabled_by_admin/hello"}));
    EXPECT_FALSE(serves());

    // What it prints is to be pasted.
    write_file(etc() / "conf-enabled/mine.conf",
               installed.out.substr(installed.out.find("<Location")));
    start();
    EXPECT_EQ(fetch({.url = url("http") + "hello"}).body, "Hello World!");
    fs::remove(etc() / "conf-enabled/mine.conf");
    ASSERT_EQ(uninstall().status, 0);
    EXPECT_EQ(differences(before, state()), Strings{});
}

TEST_F(InstallOnDebian, DryRunSaysAllAndDoesNothing)
{
    const auto before = state();
    const Finished finished = install({"--dry-run"});
    EXPECT_EQ(finished.status, 0) << finished.err;
    for (const std::string& part :
         {(modules() / "mod_hello.so").string(), (etc() / "mods-available/hello.load").string(),
          (etc() / "sites-available/hello.conf").string(), (etc() / "hello/tls.conf").string(),
          (etc() / "hello/server.key").string() + "' (mode 600)",
          std::string("a2enmod hello alias authz_core mime socache_shmcb ssl\na2ensite hello\n"
                      "apachectl configtest\napachectl start\n")}) {
        EXPECT_TRUE(contains(finished.out, part)) << part << finished.out;
    }
    EXPECT_EQ(differences(before, state()), Strings{});

    start();
    ASSERT_EQ(install().status, 0);
    const auto with = state();
    const Finished unmade = uninstall({"--dry-run"});
    EXPECT_EQ(unmade.status, 0) << unmade.err;
    for (const std::string& path : differences(before, with)) {
        if (path != "hello" && path != "hello/manifest" && !path.starts_with("state/")) {
            EXPECT_TRUE(contains(unmade.out, path)) << path << unmade.out;
        }
    }
    EXPECT_EQ(differences(with, state()), Strings{});
}

/// Somebody who may not read the key is told nothing wrong of it.
TEST_F(InstallOnDebian, DryRunOfUninstallIsForEverybody)
{
    ASSERT_EQ(install().status, 0);
    Command command = this->command("uninstall", {"--dry-run"});
    if (::getuid() == 0) {
        // www-data need not be able to enter the folder of the checkout.
        const Path copy = root() / "everybodys";
        for (const char* const name : {"scripts", "build/debian/usr/sbin"}) {
            fs::create_directories((copy / name).parent_path());
            fs::copy(source_dir() / name, copy / name,
                     fs::copy_options::recursive | fs::copy_options::copy_symlinks);
        }
        ASSERT_EQ(run({.argv = {"chmod", "-R", "a+rX", copy}}).status, 0);
        command.argv.front() = copy / "scripts/uninstall";
        command.argv.insert(command.argv.begin(),
                            {"setpriv", "--reuid=www-data", "--regid=www-data", "--clear-groups"});
        command.environment.front() = replaced(
            command.environment.front(), source_dir() / "build/debian", copy / "build/debian");
    } else {
        fs::permissions(etc() / "hello/server.key", fs::perms::none);
    }
    const Finished finished = run(command);
    EXPECT_EQ(finished.status, 0) << finished.err;
    EXPECT_EQ(finished.err, "");
    EXPECT_FALSE(contains(finished.out, "leave")) << finished.out;
    EXPECT_TRUE(
        contains(finished.out, "remove '" + (etc() / "hello/server.key").string() + "', unless"))
        << finished.out;
    EXPECT_TRUE(contains(finished.out, "apachectl configtest")) << finished.out;
}

TEST_F(InstallOnDebian, IsReachedByNameBesideAnotherSiteOnTheSamePort)
{
    make_cert(root() / "first", {"--name", "first"});
    write_file(etc() / "sites-enabled/000-first.conf",
               "<VirtualHost *:" + std::to_string(ports_[1]) +
                   ">\nServerName first\nSSLEngine on\nSSLCertificateFile " +
                   (root() / "first/server.crt").string() + "\nSSLCertificateKeyFile " +
                   (root() / "first/server.key").string() + "\n</VirtualHost>\n");
    const Finished installed = install();
    ASSERT_EQ(installed.status, 0) << installed.err;
    EXPECT_TRUE(contains(installed.out, url("https", "localhost"))) << installed.out;
}

// A site without ServerName has that of the server, which is 127.0.0.1 where a machine's name does
// not resolve, or what somebody has said to be rid of the warning.
TEST_F(InstallOnDebian, NamesWhatStandsInTheWayOfAnAddress)
{
    for (const std::string taken : {"127.0.0.1", "localhost"}) {
        SCOPED_TRACE(taken);
        write_file(etc() / "conf-available/name.conf", "ServerName " + taken + "\n");
        const std::string free = taken == "localhost" ? "127.0.0.1" : "localhost";
        const Finished installed = install();
        ASSERT_EQ(installed.status, 0) << installed.err;
        EXPECT_EQ(fetch({.url = url("http", free.c_str())}).body, "Hello World!");
        EXPECT_TRUE(contains(installed.out, url("http", free.c_str()))) << installed.out;
        EXPECT_FALSE(contains(installed.out, url("http", taken.c_str()))) << installed.out;
        // Where the first that is asked answers, the other is of no interest.
        EXPECT_EQ(
            contains(installed.err, url("http") + " is answered by '" +
                                        (etc() / "sites-enabled/000-default.conf").string() + "'"),
            taken == "127.0.0.1")
            << installed.err;
        ASSERT_EQ(uninstall().status, 0);
        stop();
    }
}

/// A block of commands in a README, from the line that begins with this one to its end.
std::string readme_block(const std::string& first_line)
{
    for (const char* const name : {"README.md", "conf/examples/README.md"}) {
        const std::string readme = read_file(source_dir() / name);
        for (auto at = readme.find("```sh\n"); at != std::string::npos;
             at = readme.find("```sh\n", at + 1)) {
            std::string block = readme.substr(at + 6, readme.find("\n```", at) - at - 5);
            if (block.starts_with(first_line)) {
                return block;
            }
        }
    }
    ADD_FAILURE() << "no README has a block that begins with " << first_line;
    return {};
}

/// Runs such a block on this tree. What asks on a terminal reads "secret" instead.
TEST_F(InstallOnDebian, TheReadmesHealthCheckAndLoginAreReachedByItsCommands)
{
    // Debian enables these by itself.
    tool({"a2enmod", "-q", "auth_basic", "authn_file", "authz_user", "env"});
    start();
    const auto follow = [this](std::string block) {
        std::string ports;
        for (const std::string& option : with_ports({})) {
            ports += ' ' + option;
        }
        block = replaced(block, "scripts/install", "scripts/install" + ports);
        block = replaced(block, "sudo ", "");
        block = replaced(block, "/etc/apache2", etc());
        block = replaced(block, "htpasswd -c", "echo secret | htpasswd -i -c");
        block =
            replaced(block, "http://localhost", "http://localhost:" + std::to_string(ports_[0]));
        if (::getuid() != 0) {
            block = replaced(block, "root:www-data", ":" + std::to_string(::getgid()));
        }
        return run({.argv = {"sh", "-ec", "cd '" + source_dir().string() + "'\n" + block},
                    .environment = environment_});
    };
    const Finished health =
        follow(readme_block("sudo scripts/install --no-site --example health\n"));
    ASSERT_EQ(health.status, 0) << health.out << health.err;
    EXPECT_TRUE(health.out.ends_with("\r\n\r\nok")) << health.out;

    const Finished login = follow(readme_block("sudo mkdir -p /etc/apache2/hello\n"));
    ASSERT_EQ(login.status, 0) << login.out << login.err;
    const std::string jar = root() / "jar";
    const auto curl = [&](Strings more) {
        Strings argv{"curl",
                     "-q",
                     "--silent",
                     "--noproxy",
                     "*",
                     "--cacert",
                     etc() / "hello/server.crt",
                     "--cookie",
                     jar,
                     "--cookie-jar",
                     jar};
        argv.insert(argv.end(), more.begin(), more.end());
        return run({.argv = argv}).out;
    };
    const std::string site = url("https", "localhost");
    ASSERT_TRUE(eventually([&] { return contains(curl({site + "login"}), "<h1>Log in</h1>"); }))
        << read_file(root() / "log/error.log");
    EXPECT_TRUE(contains(
        curl({"--location", "--data", "httpd_username=ada&httpd_password=wrong", site + "login"}),
        "Wrong name or password"));
    EXPECT_TRUE(contains(
        curl({"--location", "--data", "httpd_username=ada&httpd_password=secret", site + "login"}),
        "Hello ada!"));
    EXPECT_TRUE(contains(curl({site + "private"}), "Hello ada!"));
    expected_ = "AH01807";
}

TEST_F(Install, RefusesWhatCannotBeRight)
{
    for (const Strings& options : {Strings{"--http-port", "0"}, Strings{"--https-port", "80"},
                                   Strings{"--https-port"}, Strings{"--no-sites"}}) {
        const Finished finished = run(command("install", options));
        EXPECT_EQ(finished.status, 2) << options.front() << finished.out;
        EXPECT_TRUE(contains(finished.err, "expected")) << finished.err;
        EXPECT_EQ(finished.out, "");
    }
    EXPECT_EQ(run(command("uninstall", {"--all"})).status, 2);
    const Finished without =
        run({.argv = {source_dir() / "scripts/uninstall"}, .environment = {"APXS=/nowhere/apxs"}});
    EXPECT_EQ(without.status, 1);
    EXPECT_TRUE(contains(without.err, "/nowhere/apxs")) << without.err;
}

}  // namespace
}  // namespace hello
