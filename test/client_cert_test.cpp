// conf/examples/client-cert.conf, with right, wrong, revoked and missing certificates.

#include <csignal>

#include "credentials.h"

namespace hello {
namespace {

class ClientCert : public Credentials {
  protected:
    Response as(const Path& pair, bool http2 = false) const
    {
        return ask({.url = https(),
                    .certificate = pair.string() + ".crt",
                    .key = pair.string() + ".key",
                    .http2 = http2});
    }

    static void expect_refused(const Response& response)
    {
        EXPECT_EQ(response.status, 0) << response;
        EXPECT_NE(response.error, "");
        EXPECT_EQ(response.body, "");
    }

    /// What a client reads that speaks one version of TLS only.
    Finished speak(const Path& pair, std::vector<std::string> options) const
    {
        options.insert(options.begin(),
                       {"openssl", "s_client", "-connect", "127.0.0.1" + port(), "-CAfile",
                        root() / "server.crt", "-verify_return_error", "-ign_eof", "-cert",
                        pair.string() + ".crt", "-key", pair.string() + ".key"});
        return run({.argv = options,
                    .input = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"});
    }

    static bool is_served(const Finished& said)
    {
        return said.out.find("HTTP/1.1 200 OK") != std::string::npos &&
               said.out.find("<h1>Hello ") != std::string::npos;
    }

    static void revoke(const Path& folder, const std::string& name)
    {
        const Finished revoked = run({.argv = {source_dir() / "scripts/make-client-cert", "--dir",
                                               folder, "--revoke", folder / (name + ".crt")}});
        ASSERT_EQ(revoked.status, 0) << revoked.err;
    }
};

TEST_F(ClientCert, GreetsTheSubjectAndRefusesOthers)
{
    make_quick_cert(root());
    const Path clients = root() / "clients";
    make_client_cert(clients, "Ada <Lovelace> & \"Co\"");
    make_client_cert(clients, "J\xC3\xB6rg", {"--file", "joerg"});
    expect_log("AH02039.*unable to get local issuer certificate");
    expect_log("AH02039.*self-signed certificate");
    expect_log("AH02039.*certificate has expired");
    make_client_cert(root() / "foreign", "Ada <Lovelace> & \"Co\"");
    start(recipe("client-cert.conf"));

    for (const bool http2 : {false, true}) {
        const Response right = as(clients / "client", http2);
        EXPECT_EQ(right.status, 200) << right;
        EXPECT_EQ(right.error, "");
        EXPECT_NE(right.body.find("<h1>Hello Ada &lt;Lovelace&gt; &amp; &quot;Co&quot;!</h1>"),
                  std::string::npos)
            << right;
    }
    EXPECT_NE(as(clients / "joerg").body.find("Hello J\xC3\xB6rg!"), std::string::npos);

    expect_refused(get_tls("/"));
    expect_refused(as(root() / "foreign/client"));
    // The server's own certificate, signed by nobody that clients need to know.
    expect_refused(as(root() / "server"));

    // Of the right CA, and over since a moment ago; then for a day, so that it was the date.
    ASSERT_EQ(run({.argv = {"openssl", "req", "-new", "-newkey", "ec", "-pkeyopt",
                            "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=Ada", "-keyout",
                            clients / "dated.key", "-out", clients / "dated.csr"}})
                  .status,
              0);
    const std::vector<std::string> signer{
        "-CA", clients / "ca.crt", "-CAkey", clients / "ca.key", "-set_serial", "7"};
    make_expired(clients / "dated.csr", signer, clients / "dated.crt");
    expect_refused(as(clients / "dated"));
    std::vector<std::string> argv{"openssl",
                                  "x509",
                                  "-req",
                                  "-in",
                                  clients / "dated.csr",
                                  "-days",
                                  "1",
                                  "-out",
                                  clients / "dated.crt"};
    argv.insert(argv.end(), signer.begin(), signer.end());
    ASSERT_EQ(run({.argv = argv}).status, 0);
    const Response response = as(clients / "dated");
    EXPECT_EQ(response.status, 200) << response;
}

TEST_F(ClientCert, RefusesWhoIsRevokedFromTheNextRestartOn)
{
    make_quick_cert(root());
    const Path clients = root() / "clients";
    for (const char* const name : {"ada", "grace", "joan"}) {
        make_client_cert(clients, name, {"--file", name});
    }
    expect_log("AH02039.*certificate revoked");
    start(recipe("client-cert.conf"));

    const auto expect_served = [&](const char* name) {
        SCOPED_TRACE(name);
        for (const bool http2 : {false, true}) {
            EXPECT_EQ(as(clients / name, http2).status, 200);
        }
        for (const char* const version : {"-tls1_2", "-tls1_3"}) {
            const Finished said = speak(clients / name, {version});
            EXPECT_TRUE(is_served(said)) << version << said.out << said.err;
        }
    };
    const auto expect_locked_out = [&](const char* name) {
        SCOPED_TRACE(name);
        for (const bool http2 : {false, true}) {
            expect_refused(as(clients / name, http2));
        }
        for (const char* const version : {"-tls1_2", "-tls1_3"}) {
            const Finished said = speak(clients / name, {version});
            EXPECT_EQ(said.out.find("HTTP/1.1 "), std::string::npos) << version << said.out;
            EXPECT_NE(said.err.find("certificate revoked"), std::string::npos) << said.err;
        }
    };

    // Nobody is on the list, which is there all the same.
    expect_served("ada");
    // Sessions that will not outlive the restart.
    const auto session = [&](const std::string& version) { return (root() / version).string(); };
    for (const std::string version : {"-tls1_2", "-tls1_3"}) {
        ASSERT_TRUE(is_served(speak(clients / "ada", {version, "-sess_out", session(version)})));
        const Finished resumed = speak(clients / "ada", {version, "-sess_in", session(version)});
        EXPECT_TRUE(is_served(resumed)) << resumed.out << resumed.err;
        EXPECT_NE(resumed.out.find("\nReused, "), std::string::npos) << version << resumed.out;
    }

    revoke(clients, "ada");
    expect_served("ada");
    await_idleness();
    restart(SIGUSR1);
    expect_locked_out("ada");
    for (const std::string version : {"-tls1_2", "-tls1_3"}) {
        const Finished late = speak(clients / "ada", {version, "-sess_in", session(version)});
        EXPECT_EQ(late.out.find("HTTP/1.1 "), std::string::npos) << version << late.out;
    }
    expect_served("grace");

    // The list grows, and a new certificate in the place of a revoked one is good.
    revoke(clients, "grace");
    make_client_cert(clients, "ada", {"--file", "ada", "--force"});
    expect_served("ada");
    await_idleness();
    restart(SIGUSR1);
    expect_locked_out("grace");
    expect_served("ada");
    expect_served("joan");
}

TEST_F(ClientCert, DoesNotStartWithoutAListUnlessItIsToldTo)
{
    make_quick_cert(root());
    const Path clients = root() / "clients";
    make_client_cert(clients, "Ada");
    revoke(clients, "client");
    fs::remove(clients / "ca.crl");
    const Finished checked = check(recipe("client-cert.conf"));
    EXPECT_NE(checked.status, 0) << "who was revoked is let in again";
    EXPECT_NE(checked.err.find("clients/ca.crl' does not exist"), std::string::npos) << checked.err;

    start("Define HELLO_NO_CLIENT_CRL\n" + recipe("client-cert.conf"));
    EXPECT_EQ(as(clients / "client").status, 200);
    expect_refused(get_tls("/"));
}

}  // namespace
}  // namespace hello
