// scripts/make-client-cert --revoke: the list of certificates that are no longer good.

#include <csignal>
#include <memory>

#include "make_client_cert.h"

namespace hello {
namespace {

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
    const std::string text = list("-text");
    const std::string first =
        first_match(text, R"(Serial Number: [0-9A-F]+\s+Revocation Date: .*)");
    ASSERT_NE(first, "") << text;

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
    EXPECT_NE(list("-text").find(first), std::string::npos) << first << list("-text");

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
        const std::vector<Strings> entries = matches_of(
            before,
            R"(Serial Number: [0-9A-F]+\s+Revocation Date: .*(\s+CRL entry .*\s+.*\s+.*)?)");
        for (const Strings& entry : entries) {
            EXPECT_NE(after.find(entry[0]), std::string::npos) << entry[0] << after;
        }
        EXPECT_EQ(entries.size(), 5U) << before;
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

}  // namespace
}  // namespace hello
