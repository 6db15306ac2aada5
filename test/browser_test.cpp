// Whom a certificate is trusted by before and after scripts/trust-cert: a real Chromium, curl,
// and the stores themselves.

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>

#include "httpd.h"
#include "namespaces.h"

namespace hello {
namespace {

/// A home of the test's own, with an NSS database only where somebody makes one.
class Trust : public HttpdTest {
  protected:
    Path home() const { return home_.path(); }
    Path certificate() const { return root() / "server.crt"; }

    /// A command whose home this is. "env" replaces what the test's own environment has.
    Strings at_home(const Strings& argv) const
    {
        Strings result{"env", "-u",        "XDG_DATA_HOME",          "-u", "XDG_CONFIG_HOME",
                       "-u",  "SUDO_USER", "HOME=" + home().string()};
        result.insert(result.end(), argv.begin(), argv.end());
        return result;
    }

    Strings trusting(const Strings& options, const std::string& path = std::getenv("PATH")) const
    {
        Strings argv{"PATH=" + path, source_dir() / "scripts/trust-cert"};
        argv.insert(argv.end(), options.begin(), options.end());
        return at_home(argv);
    }

    Finished trust(const Strings& options) const { return run({.argv = trusting(options)}); }

    std::string certutil(Strings arguments) const
    {
        arguments.insert(arguments.begin(), "certutil");
        const Finished finished = run({.argv = at_home(arguments)});
        EXPECT_EQ(finished.status, 0) << finished.err;
        return finished.out;
    }

    std::string in_database(const Path& database) const
    {
        return certutil({"-L", "-d", "sql:" + database.string()});
    }

    std::string in_database() const { return in_database(home() / ".pki/nssdb"); }

    std::string fingerprint() const
    {
        std::string printed = run({.argv = {"openssl", "x509", "-in", certificate(), "-noout",
                                            "-fingerprint", "-sha256"}})
                                  .out;
        printed.erase(0, printed.find('=') + 1);
        std::string result;
        for (const char c : printed) {
            if (std::isxdigit(static_cast<unsigned char>(c)) != 0) {
                result += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
            }
        }
        return result;
    }

    /// Where the system's store keeps it.
    Path system_file() const
    {
        return Path(StoreCopy::local) / ("mod_hello-" + fingerprint() + ".crt");
    }

    std::string openssl_config(const std::string& extensions) const
    {
        const Path path = root() / "openssl.cnf";
        write_file(path,
                   "[req]\ndistinguished_name = subject\nprompt = no\nx509_extensions = e\n"
                   "[subject]\nCN = localhost\n[e]\n" +
                       extensions);
        return path;
    }

    /// Makes a certificate with these extensions in place of make-cert's.
    void make_other(const std::string& extensions, const char* days = "1")
    {
        const Finished made = run(
            {.argv = {"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                      "ec_paramgen_curve:P-256", "-nodes", "-config", openssl_config(extensions),
                      "-days", days, "-keyout", root() / "server.key", "-out", certificate()}});
        ASSERT_EQ(made.status, 0) << made.err;
    }

    /// A PATH with a tool of the test's own before all others.
    std::string path_with(const char* tool, const std::string& script)
    {
        write_file(root() / "first" / tool, script);
        fs::permissions(root() / "first" / tool, fs::perms(0755));
        return (root() / "first").string() + ":" + std::getenv("PATH");
    }

    void start_server(const Strings& key_options = {"--days", "1"})
    {
        make_cert(root(), key_options);
        start_file(source_dir() / "conf/httpd.conf",
                   {"HELLO_CERTIFICATE " + certificate().string(),
                    "HELLO_KEY " + (root() / "server.key").string()});
    }

  private:
    TemporaryFolder home_;
};

// ---------------------------------------------------------------------------
// Chromium

class Browser : public Trust {
  protected:
    /// Opens a page as a new user would, and returns what it shows and what went wrong.
    Finished browse(const std::string& url, const char* what = "--dump-dom") const
    {
        const TemporaryFolder profile;
        Strings argv{"chromium",
                     "--headless",
                     "--disable-gpu",
                     "--disable-quic",
                     "--no-first-run",
                     "--disable-background-networking",
                     "--disable-component-update",
                     "--disable-sync",
                     "--user-data-dir=" + profile.path().string(),
                     what,
                     url};
        if (::getuid() == 0) {
            argv.insert(argv.begin() + 1, "--no-sandbox");
        }
        return run({.argv = at_home(argv)});
    }

    void expect_warning(const std::string& url) const
    {
        const Finished seen = browse(url);
        EXPECT_TRUE(contains(seen.err, "net::ERR_CERT_AUTHORITY_INVALID")) << seen.err;
        EXPECT_FALSE(contains(seen.out, "Hello World!")) << seen.out;
    }

    void expect_page(const std::string& url) const
    {
        const Finished seen = browse(url);
        EXPECT_EQ(seen.status, 0);
        EXPECT_EQ(seen.out, "<html><head></head><body>Hello World!</body></html>\n") << seen.err;
        EXPECT_FALSE(contains(seen.err, "ERR_")) << seen.err;
    }
};

TEST_F(Browser, ShowsThePageWhileTheCertificateIsTrustedAndNoLonger)
{
    start_server();
    const Strings urls{https(), "https://localhost:" + std::to_string(https_port()) + "/"};
    for (const std::string& url : urls) {
        expect_warning(url);
    }
    EXPECT_EQ(access_log(), "") << "it sent a request to a server that it does not trust";

    const Finished trusted = trust({"--store", "nss", certificate()});
    ASSERT_EQ(trusted.status, 0) << trusted.err;
    for (const std::string& url : urls) {
        expect_page(url);
    }
    EXPECT_TRUE(contains(access_log(), "\"GET / HTTP/2.0\" 200 12")) << access_log();
    EXPECT_FALSE(contains(access_log(), "\"GET / HTTP/1")) << access_log();

    ASSERT_EQ(trust({"--store", "nss", "--remove", certificate()}).status, 0);
    for (const std::string& url : urls) {
        expect_warning(url);
    }
}

TEST_F(Browser, TrustsNoOtherCertificateOfTheSameName)
{
    start_server();
    ASSERT_EQ(trust({"--store", "nss", certificate()}).status, 0);
    stop();
    fs::remove(root() / "error.log");
    make_cert(root(), {"--force"});
    start_server({"--force", "--days", "1"});
    expect_warning(https());
}

TEST_F(Browser, ItsOwnDatabaseIsTheOneThatIsChanged)
{
    start_server();
    // Chromium has made one by now, and would no longer read it beside another one.
    expect_warning(https());
    const bool older = fs::exists(home() / ".pki/nssdb/cert9.db");
    EXPECT_NE(older, fs::exists(home() / ".local/share/pki/nssdb/cert9.db"));
    ASSERT_EQ(trust({"--store", "nss", certificate()}).status, 0);
    EXPECT_EQ(older, fs::exists(home() / ".pki"));
    expect_page(https());
}

// ---------------------------------------------------------------------------
// The NSS database

TEST_F(Trust, TwiceIsOnceInTheDatabase)
{
    make_cert(root());
    const Finished first = trust({"--store", "nss", certificate()});
    ASSERT_EQ(first.status, 0) << first.err;
    EXPECT_TRUE(contains(first.out, "(new): added")) << first.out;
    struct stat status {};
    ASSERT_EQ(::stat((home() / ".pki/nssdb/key4.db").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0077, 0U);
    const std::string listed = in_database();
    EXPECT_TRUE(contains(listed, "mod_hello-" + fingerprint())) << listed;
    EXPECT_TRUE(contains(listed, " P,,")) << listed;

    const Finished second = trust({"--store=nss", certificate()});
    EXPECT_EQ(second.status, 0) << second.err;
    EXPECT_TRUE(contains(second.out, "was there already")) << second.out;
    EXPECT_EQ(in_database(), listed);

    const Finished removed = trust({"--remove", "--store", "nss", certificate()});
    EXPECT_EQ(removed.status, 0) << removed.err;
    EXPECT_TRUE(contains(removed.out, "removed")) << removed.out;
    EXPECT_FALSE(contains(in_database(), "mod_hello"));
    const Finished again = trust({"--remove", "--store", "nss", certificate()});
    EXPECT_EQ(again.status, 0) << again.err;
    EXPECT_TRUE(contains(again.out, "was not there")) << again.out;
}

TEST_F(Trust, RemovesExactlyTheOneOfSeveralWithTheSameSubject)
{
    for (const char* const name : {"a", "b", "c"}) {
        make_cert(root() / name);
        ASSERT_EQ(trust({"--store", "nss", root() / name / "server.crt"}).status, 0);
    }
    ASSERT_EQ(trust({"--store", "nss", "--remove", root() / "b/server.crt"}).status, 0);
    const std::string database = "sql:" + (home() / ".pki/nssdb").string();
    const std::string listed = in_database();
    const std::size_t at = listed.find("mod_hello-");
    ASSERT_NE(at, std::string::npos);
    std::string all = certutil({"-L", "-d", database, "-n", listed.substr(at, 74), "-a"});
    all.erase(std::remove(all.begin(), all.end(), '\r'), all.end());
    for (const char* const name : {"a", "b", "c"}) {
        std::string body = read_file(root() / name / "server.crt");
        body.erase(0, body.find('\n') + 1);
        EXPECT_EQ(contains(all, body.substr(0, body.find("-----"))), name != std::string("b"))
            << name;
    }
}

TEST_F(Trust, LeavesAloneWhatSomebodyElseHasImported)
{
    make_cert(root());
    const std::string database = "sql:" + (home() / ".pki/nssdb").string();
    fs::create_directories(home() / ".pki/nssdb");
    certutil({"-N", "-d", database, "--empty-password"});
    certutil({"-A", "-d", database, "-n", "my server", "-t", ",,", "-i", certificate()});
    const std::string before = in_database();
    for (const char* const option : {"--store=nss", "--remove"}) {
        const Finished finished = trust({"--store", "nss", option, certificate()});
        EXPECT_EQ(finished.status, 1) << finished.out;
        EXPECT_TRUE(contains(finished.err, "'my server'")) << finished.err;
        EXPECT_EQ(in_database(), before);
    }
}

TEST_F(Trust, ADatabaseThatCannotBeChangedIsAsItWas)
{
    make_cert(root());
    const Path folder = home() / ".pki/nssdb";
    fs::create_directories(folder);
    write_file(root() / "password", "secret\n");
    certutil({"-N", "-d", "sql:" + folder.string(), "-f", root() / "password"});
    const std::string before = in_database();
    // There is no terminal to ask for its password on.
    const Finished locked = trust({"--store", "nss", certificate()});
    EXPECT_EQ(locked.status, 1) << locked.out;
    EXPECT_TRUE(contains(locked.err, "password")) << locked.err;
    EXPECT_EQ(in_database(), before);

    write_file(folder / "cert9.db", "no database");
    const Finished broken = trust({"--store", "nss", certificate()});
    EXPECT_EQ(broken.status, 1) << broken.out;
    EXPECT_TRUE(contains(broken.err, folder.string())) << broken.err;
    EXPECT_EQ(read_file(folder / "cert9.db"), "no database");
}

TEST_F(Trust, RefusesWhatCannotBeRightAndChangesNothing)
{
    // Root could change the system's store, should the script not refuse.
    const StoreCopy store(root() / "store");
    const std::string obstacle = ::getuid() == 0 ? store.obstacle() : "";
    if (!obstacle.empty()) {
        GTEST_SKIP() << "this root can have no store of certificates of his own: " << obstacle;
    }
    const auto refuse = [&](const Strings& options, int status, const std::string& shown) {
        const Strings argv = trusting(options);
        const Finished finished = run({.argv = ::getuid() == 0 ? store.with(argv) : argv});
        EXPECT_EQ(finished.status, status) << shown << finished.out;
        EXPECT_TRUE(contains(finished.err, shown)) << shown << '\n' << finished.err;
        EXPECT_TRUE(contains(finished.err, "Next: ")) << finished.err;
        EXPECT_FALSE(fs::exists(home() / ".pki"));
        EXPECT_FALSE(fs::exists(store.in_copy(system_file())));
        EXPECT_FALSE(fs::exists(system_file()));
    };
    const std::string good =
        "basicConstraints = critical,CA:FALSE\n"
        "extendedKeyUsage = serverAuth\nsubjectAltName = DNS:localhost\n";
    make_cert(root());
    refuse({"--store", "firefox", certificate()}, 2, "'firefox'");
    refuse({"--store"}, 2, "--store");
    refuse({"--remvoe", certificate()}, 2, "'--remvoe'");
    refuse({certificate(), certificate()}, 2, "2 certificates");
    refuse({""}, 2, "empty");
    refuse({root() / "missing.crt"}, 1, "missing.crt");
    refuse({root()}, 1, "not a file");
    refuse({root() / "server.key"}, 1, "server.key");
    refuse({root() / "server.csr"}, 1, "server.csr");
    refuse({"--remove", root() / "server.key"}, 1, "server.key");
    write("two.crt", read_file(certificate()) + read_file(certificate()));
    refuse({root() / "two.crt"}, 1, "holds 2 certificates");
    make_other("basicConstraints = critical,CA:TRUE\nsubjectAltName = DNS:localhost\n");
    refuse({certificate()}, 1, "authority");
    make_other(
        "basicConstraints = critical,CA:FALSE\nkeyUsage = keyCertSign\n"
        "subjectAltName = DNS:localhost\n");
    refuse({certificate()}, 1, "authority");
    make_other("subjectAltName = DNS:localhost\n");
    refuse({certificate()}, 1, "authority");
    make_other("basicConstraints = critical,CA:FALSE\n");
    refuse({certificate()}, 1, "subjectAltName");
    make_other(
        "basicConstraints = critical,CA:FALSE\nextendedKeyUsage = clientAuth\n"
        "subjectAltName = DNS:localhost\n");
    refuse({certificate()}, 1, "purpose");
    make_cert(root(), {"--force"});
    make_expired(root() / "server.csr", {"-signkey", root() / "server.key"}, certificate());
    refuse({certificate()}, 1, "expired");
    make_other(good);
    EXPECT_EQ(trust({"--store", "nss", certificate()}).status, 0);
}

TEST_F(Trust, TakesOutACertificateThatHasExpired)
{
    make_cert(root());
    const std::string database = "sql:" + (home() / ".pki/nssdb").string();
    make_expired(root() / "server.csr", {"-signkey", root() / "server.key"}, certificate());
    fs::create_directories(home() / ".pki/nssdb");
    certutil({"-N", "-d", database, "--empty-password"});
    certutil({"-A", "-d", database, "-n", "mod_hello-" + fingerprint(), "-t", "P,,", "-i",
              certificate()});
    ASSERT_EQ(trust({"--store", "nss", "--remove", certificate()}).status, 0);
    EXPECT_FALSE(contains(in_database(), "mod_hello"));
}

TEST_F(Trust, TakesOutWhatItOnceTrustedWhenTheFileIsGone)
{
    Strings names;
    for (const char* const name : {"a", "b"}) {
        make_cert(root() / name);
        ASSERT_EQ(trust({"--store", "nss", root() / name / "server.crt"}).status, 0);
        fs::copy_file(root() / name / "server.crt", certificate(),
                      fs::copy_options::overwrite_existing);
        names.push_back("mod_hello-" + fingerprint());
        fs::remove_all(root() / name);
    }
    const std::string gone = root() / "a/server.crt";
    const std::string both = in_database();
    const Finished several = trust({"--store", "nss", "--remove", gone});
    EXPECT_EQ(several.status, 1) << several.out;
    for (const std::string& name : names) {
        EXPECT_TRUE(contains(several.err, "--remove " + name)) << several.err;
    }
    EXPECT_EQ(in_database(), both);
    const Finished named = trust({"--store", "nss", "--remove", names[0]});
    EXPECT_EQ(named.status, 0) << named.err;
    EXPECT_TRUE(contains(named.out, "--remove " + names[1])) << named.out;
    EXPECT_FALSE(contains(in_database(), names[0]));
    EXPECT_TRUE(contains(in_database(), names[1]));
    const Finished last = trust({"--store", "nss", "--remove", gone});
    EXPECT_EQ(last.status, 0) << last.err;
    EXPECT_FALSE(contains(in_database(), "mod_hello"));
    const Finished none = trust({"--store", "nss", "--remove", gone});
    EXPECT_EQ(none.status, 0) << none.err;
    EXPECT_TRUE(contains(none.out, "Nothing to take out")) << none.out;
}

// A database says what libraries certutil loads.
TEST_F(Trust, ChangesNoDatabaseThatSomebodyElseMayChange)
{
    make_cert(root());
    fs::create_directories(home() / ".pki/nssdb");
    fs::permissions(home() / ".pki", fs::perms(0777));
    write_file(home() / ".pki/nssdb/cert9.db", "somebody's");
    // Not even to look for what was once trusted.
    for (const Strings& options : {Strings{certificate()}, Strings{"--remove", certificate()},
                                   Strings{"--remove", root() / "gone.crt"}}) {
        Strings argv{"--store", "nss"};
        argv.insert(argv.end(), options.begin(), options.end());
        const Finished finished = trust(argv);
        EXPECT_EQ(finished.status, 1) << finished.out;
        EXPECT_TRUE(
            contains(finished.err, "'" + (home() / ".pki").string() + "' may be written by"))
            << finished.err;
    }
    EXPECT_EQ(read_file(home() / ".pki/nssdb/cert9.db"), "somebody's");
}

TEST_F(Trust, LeavesTheRestOfABrokenDatabaseAlone)
{
    make_cert(root());
    write_file(home() / ".pki/nssdb/key4.db", "somebody's");
    write_file(home() / ".pki/nssdb/cert9.db.bak", "somebody's");
    const Finished finished = trust({"--store", "nss", certificate()});
    EXPECT_EQ(finished.status, 1);
    EXPECT_TRUE(contains(finished.err, "key4.db' is there")) << finished.err;
    EXPECT_EQ(read_file(home() / ".pki/nssdb/key4.db"), "somebody's");
    EXPECT_TRUE(fs::exists(home() / ".pki/nssdb/cert9.db.bak"));
}

TEST_F(Trust, LeavesNothingHalfDoneWhenItIsStopped)
{
    make_cert(root());
    const Path script = source_dir() / "scripts/trust-cert";
    // Stopped before it has changed anything, and then at one moment after the other.
    for (int milliseconds = -10; milliseconds < 120; milliseconds += 10) {
        fs::remove_all(home() / ".pki");
        Process process({.argv = at_home({script, "--store", "nss", certificate()})});
        if (milliseconds >= 0) {
            ASSERT_TRUE(eventually([&] { return process.ended() || fs::exists(home() / ".pki"); }));
            process.wait(std::chrono::milliseconds(milliseconds));
        }
        process.signal_group(SIGTERM);
        ASSERT_TRUE(eventually([&] { return process.ended(); }));
        ASSERT_TRUE(eventually([&] { return !process.group_alive(); }));
        if (process.status() == 0) {
            EXPECT_TRUE(contains(in_database(), " P,,")) << milliseconds;
        } else {
            EXPECT_FALSE(fs::exists(home() / ".pki"))
                << milliseconds << run({.argv = {"find", home() / ".pki"}}).out << process.err();
        }
    }
}

TEST_F(Trust, NamesTheMissingToolAndItsPackage)
{
    make_cert(root());
    const struct {
        const char* tool;
        const char* package;
    } cases[] = {{"certutil", "libnss3-tools"}, {"openssl", "setup"}};
    for (const auto& [tool, package] : cases) {
        const Finished finished =
            run({.argv = trusting({certificate()}, path_without(tool, root() / "bin"))});
        EXPECT_EQ(finished.status, 1) << tool << finished.out;
        EXPECT_TRUE(contains(finished.err, std::string(tool) + " is not on PATH")) << finished.err;
        EXPECT_TRUE(contains(finished.err, package)) << finished.err;
        EXPECT_FALSE(fs::exists(home() / ".pki"));
    }
}

// ---------------------------------------------------------------------------
// The system's store, of which each test has a copy

class SystemTrust : public Trust {
  protected:
    void SetUp() override
    {
        if (const std::string obstacle = store_.obstacle(); !obstacle.empty()) {
            GTEST_SKIP() << "only root, or somebody who may make user namespaces, can have a "
                            "store of certificates of his own: "
                         << obstacle;
        }
        ASSERT_TRUE(fs::exists(StoreCopy::local)) << "what the script made there would be real";
        make_cert(root(), {"--days", "1"});
    }

    void TearDown() override
    {
        if (IsSkipped()) {
            return;
        }
        for (const Path& real : {system_file(), system_link()}) {
            EXPECT_FALSE(fs::exists(fs::symlink_status(real))) << real;
        }
        Trust::TearDown();
    }

    Path system_link() const
    {
        return Path(StoreCopy::certificates) / ("mod_hello-" + fingerprint() + ".pem");
    }

    /// What root sees, with the copy for the real store.
    Finished trust(const Strings& options, const std::string& path = std::getenv("PATH")) const
    {
        return run({.argv = store_.with(trusting(options, path))});
    }

    /// Where the copy of the store keeps it.
    Path file() const { return store_.in_copy(system_file()); }
    Path link() const { return store_.in_copy(system_link()); }

    static Strings names_in(const Path& folder)
    {
        Strings names;
        for (const auto& entry : fs::directory_iterator(folder)) {
            names.push_back(entry.path().filename());
        }
        std::sort(names.begin(), names.end());
        return names;
    }

    /// A command of a user who is not root, with a copy of the script that he can read.
    Finished trust_as_user(const Strings& options, const std::string& path)
    {
        write_file(root() / "scripts/trust-cert", read_file(source_dir() / "scripts/trust-cert"));
        fs::permissions(root() / "scripts/trust-cert", fs::perms(0755));
        for (const auto& part : fs::directory_iterator(source_dir() / "scripts/lib")) {
            write_file(root() / "scripts/lib" / part.path().filename(), read_file(part.path()));
        }
        Strings argv{"PATH=" + path};
        if (::getuid() == 0) {
            EXPECT_EQ(run({.argv = {"chown", "-R", "www-data", home()}}).status, 0);
            argv.insert(argv.end(),
                        {"setpriv", "--reuid=www-data", "--regid=www-data", "--clear-groups"});
        }
        argv.push_back(root() / "scripts/trust-cert");
        argv.insert(argv.end(), options.begin(), options.end());
        return run({.argv = at_home(argv)});
    }

    const StoreCopy store_{root() / "store"};
};

TEST_F(SystemTrust, CurlAcceptsTheServerWhileItsCertificateIsTrusted)
{
    const Path local = store_.in_copy(StoreCopy::local);
    const Path certificates = store_.in_copy(StoreCopy::certificates);
    const Strings before = names_in(local);
    start_file(source_dir() / "conf/httpd.conf", {"HELLO_CERTIFICATE " + certificate().string(),
                                                  "HELLO_KEY " + (root() / "server.key").string()});
    const auto curl = [&] {
        return run({.argv = store_.with({"env", "-u", "SSL_CERT_FILE", "-u", "CURL_CA_BUNDLE",
                                         "curl", "-q", "--silent", "--show-error", "--noproxy", "*",
                                         "--max-time", "30", https()})});
    };
    // Beside the certificate there is a key in the file, which must not leave it.
    write_file(root() / "pair.pem", read_file(root() / "server.key") + read_file(certificate()));
    EXPECT_EQ(curl().status, 60);
    const Finished added = trust({root() / "pair.pem"});
    ASSERT_EQ(added.status, 0) << added.err;
    EXPECT_TRUE(contains(added.out, system_file().string() + ": added")) << added.out;
    EXPECT_EQ(curl().out, "Hello World!") << curl().err;
    EXPECT_TRUE(contains(in_database(), "mod_hello"));
    EXPECT_EQ(read_file(file()), read_file(certificate()));
    EXPECT_FALSE(contains(read_file(certificates / "ca-certificates.crt"), "PRIVATE KEY"));
    const Finished again = trust({"--store", "system", certificate()});
    EXPECT_EQ(again.status, 0) << again.err;
    EXPECT_TRUE(contains(again.out, "was there already")) << again.out;

    const Finished removed = trust({"--remove", certificate()});
    EXPECT_EQ(removed.status, 0) << removed.err;
    EXPECT_EQ(curl().status, 60);
    EXPECT_FALSE(contains(in_database(), "mod_hello"));
    EXPECT_EQ(names_in(local), before);
    for (const std::string& name : names_in(certificates)) {
        EXPECT_FALSE(contains(name, fingerprint()));
        EXPECT_TRUE(fs::exists(certificates / name)) << name << " leads nowhere";
    }
    EXPECT_EQ(trust({"--remove", certificate()}).status, 0);
}

TEST_F(SystemTrust, OneStoreThatFailsLeavesTheOtherAsItWas)
{
    const std::string path =
        path_with("update-ca-certificates", "#!/bin/sh\necho broken\nexit 1\n");
    const Finished failed = trust({certificate()}, path);
    EXPECT_EQ(failed.status, 1) << failed.out;
    EXPECT_TRUE(contains(failed.err, "broken")) << failed.err;
    EXPECT_FALSE(fs::exists(file()));
    EXPECT_FALSE(fs::exists(home() / ".pki"));

    ASSERT_EQ(trust({"--store", "nss", certificate()}).status, 0);
    const std::string before = in_database();
    EXPECT_EQ(trust({"--remove", certificate()}, path).status, 0) << "nothing there to remove";
    ASSERT_EQ(trust({certificate()}).status, 0);
    EXPECT_EQ(trust({"--remove", certificate()}, path).status, 1);
    EXPECT_EQ(in_database(), before);
    EXPECT_EQ(read_file(file()), read_file(certificate()));
}

TEST_F(SystemTrust, LeavesNothingHalfDoneWhenItIsStopped)
{
    Process process({.argv = store_.with(trusting({certificate()}))});
    ASSERT_TRUE(eventually([&] { return fs::exists(file()); }));
    process.signal_group(SIGTERM);
    ASSERT_TRUE(eventually([&] { return process.ended(); }));
    EXPECT_EQ(process.status(), 143) << process.out() << process.err();
    EXPECT_FALSE(fs::exists(file()));
    EXPECT_FALSE(fs::exists(fs::symlink_status(link())));
    EXPECT_FALSE(fs::exists(home() / ".pki"));
}

TEST_F(SystemTrust, AsksSudoAndSaysWhatWasNotDoneWithoutIt)
{
    const Finished without = trust_as_user({certificate()}, path_without("sudo", root() / "bin"));
    EXPECT_EQ(without.status, 1) << without.out;
    EXPECT_TRUE(contains(without.err, "there is no sudo")) << without.err;
    EXPECT_TRUE(contains(without.err, system_file().string())) << without.err;
    EXPECT_TRUE(contains(without.err, "--store nss")) << without.err;
    EXPECT_FALSE(fs::exists(home() / ".pki"));

    const std::string refusing = path_with("sudo", "#!/bin/sh\necho \"no, $1\" >&2\nexit 1\n");
    const Finished refused = trust_as_user({certificate()}, refusing);
    EXPECT_EQ(refused.status, 1) << refused.out;
    EXPECT_TRUE(contains(refused.err, "no, sh")) << refused.err;
    EXPECT_FALSE(fs::exists(home() / ".pki"));

    const Finished nss =
        trust_as_user({"--store", "nss", certificate()}, path_without("sudo", root() / "bin"));
    EXPECT_EQ(nss.status, 0) << nss.err;
    EXPECT_FALSE(fs::exists(system_file()));
}

}  // namespace
}  // namespace hello
