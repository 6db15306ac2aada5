// A folder with a CA and clients of scripts/make-client-cert, and what openssl says of them.

#pragma once

#include <sys/stat.h>

#include <csignal>
#include <map>
#include <string>

#include "scripts.h"

namespace hello {

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

}  // namespace hello
