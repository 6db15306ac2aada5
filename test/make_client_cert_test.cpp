// scripts/make-client-cert: the CA and the pairs that it makes, and what it refuses to work with.

#include <utility>

#include "make_client_cert.h"

namespace hello {
namespace {

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

}  // namespace
}  // namespace hello
