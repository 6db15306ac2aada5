// conf/examples/production.conf: what it tells, takes and waits for, which TLS it speaks, and which
// recipes it stands beside.

#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <thread>

#include "credentials.h"
#include "errors.h"

namespace hello {
namespace {

class Production : public Credentials {
  protected:
    // What stood in the configuration before; some of it is what Debian ships.
    static constexpr const char* before =
        "ServerTokens OS\nServerSignature On\nLimitRequestFieldSize 16380\n"
        "KeepAliveTimeout 60\nRequestReadTimeout handshake=0 header=0 body=0\n";

    Finished handshake(const std::vector<std::string>& options) const
    {
        Command command{.argv = {"openssl", "s_client", "-connect", "127.0.0.1" + port(), "-CAfile",
                                 root() / "server.crt", "-verify_return_error"},
                        .input = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"};
        command.argv.insert(command.argv.end(), options.begin(), options.end());
        return run(command);
    }
};

TEST_F(Production, TellsLittleAndTakesLittle)
{
    make_quick_cert(root());
    expect_log("AH01630");  // nothing but "/" is opened
    expect_log("AH01276");  // no list of a folder
    write("page.html", "a page");
    write(".htaccess", "Require all granted\n");
    write("open/page.html", "an open page");
    start(before + ("LoadModule info_module \"" + (httpd_modules() / "mod_info.so").string() +
                    "\"\n"
                    "DocumentRoot \"${ROOT}\"\n"
                    "<Directory \"/\">\nOptions Indexes\nAllowOverride All\n</Directory>\n"
                    "<Directory \"${ROOT}/open\">\nRequire all granted\n</Directory>\n"
                    "<Location \"/server-info\">\nSetHandler server-info\n"
                    "Require all granted\n</Location>\n" +
                    recipe("production.conf")));
    const Response page = get_tls("/");
    EXPECT_EQ(page.body, "Hello World!");
    EXPECT_EQ(page.header("server"), "Apache");
    EXPECT_EQ(page.header("strict-transport-security"), "max-age=63072000");
    EXPECT_EQ(get("/x").header("location"), https("/x"));
    const Response refused = get_tls("/page.html");
    EXPECT_EQ(refused.status, 403);
    EXPECT_EQ(refused.body.find("Apache"), std::string::npos) << refused;
    EXPECT_EQ(get_tls("/open/page.html").body, "an open page");
    EXPECT_EQ(get_tls("/open/").status, 403);
    // What httpd itself says of this virtual host, sooner than after half a minute.
    const Response info = get_tls("/server-info?server");
    EXPECT_NE(info.body.find("connection: 20 "), std::string::npos) << info;

    for (const char* const method : {"TRACE", "TRACK"}) {
        const Response response =
            ask({.url = https(), .method = method, .headers = {"X-Secret: told"}});
        EXPECT_EQ(response.status, 405) << method;
        EXPECT_EQ(response.body.find("told"), std::string::npos);
    }
    const auto status_of = [&](const Request& request) { return ask(request).status; };
    EXPECT_EQ(status_of({.url = https("/?" + std::string(4000, 'x'))}), 200);
    EXPECT_EQ(status_of({.url = https("/?" + std::string(4100, 'x'))}), 414);
    EXPECT_EQ(status_of({.url = https(), .headers = {"X-A: " + std::string(8000, 'x')}}), 200);
    EXPECT_EQ(status_of({.url = https(), .headers = {"X-A: " + std::string(8200, 'x')}}), 400);
    EXPECT_EQ(status_of({.url = https(), .headers = std::vector<std::string>(45, "X-A: x")}), 200);
    EXPECT_EQ(status_of({.url = https(), .headers = std::vector<std::string>(55, "X-A: x")}), 400);
    EXPECT_EQ(status_of({.url = https(), .body = std::string(65536, 'x')}), 200);
    EXPECT_EQ(status_of({.url = https(), .body = std::string(65537, 'x')}), 413);
}

TEST_F(Production, SpeaksTodaysTls)
{
    make_quick_cert(root());
    start(recipe("production.conf"));
    EXPECT_EQ(ask({.url = https(), .http2 = true}).error, "");
    const std::string all = "ALL:@SECLEVEL=0";
    for (const std::vector<std::string>& options : {std::vector<std::string>{"-tls1_3"},
                                                    {"-tls1_2"},
                                                    {"-groups", "X25519"},
                                                    {"-groups", "P-256"},
                                                    {"-groups", "P-384"}}) {
        EXPECT_EQ(handshake(options).status, 0) << options.back();
    }
    for (const std::vector<std::string>& options :
         {std::vector<std::string>{"-tls1_1", "-cipher", all},
          {"-tls1", "-cipher", all},
          {"-groups", "P-521"},
          {"-tls1_2", "-cipher", "AES256-GCM-SHA384"},
          {"-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"}}) {
        EXPECT_NE(handshake(options).status, 0) << options.back();
    }
    // The client takes the one it is fastest at.
    const std::string aes = "ECDHE-ECDSA-AES128-GCM-SHA256";
    const std::string chacha = "ECDHE-ECDSA-CHACHA20-POLY1305";
    for (const auto& [first, second] : {std::pair(aes, chacha), std::pair(chacha, aes)}) {
        const Finished seen = handshake({"-tls1_2", "-cipher", first + ":" + second});
        EXPECT_NE(seen.out.find("Cipher is " + first), std::string::npos) << seen.out;
    }
    // From the cache, and not by a ticket.
    const std::string session = root() / "session";
    const Finished fresh = handshake({"-tls1_2", "-sess_out", session});
    EXPECT_NE(fresh.out.find("\nNew, "), std::string::npos) << fresh.out;
    EXPECT_EQ(fresh.out.find("TLS session ticket"), std::string::npos) << fresh.out;
    EXPECT_NE(handshake({"-tls1_2", "-sess_in", session}).out.find("\nReused, "),
              std::string::npos);
}

TEST_F(Production, DoesNotWaitForThoseWhoSayNothing)
{
    make_quick_cert(root());
    start(before + recipe("production.conf"));
    // Linux hands a connection to httpd when its first bytes are there. exchange() throws
    // where the server has not closed the connection in time; Timeout would do it after 20
    // seconds.
    const auto begin = std::chrono::steady_clock::now();
    std::string half_header;
    std::string idle;
    std::thread header([&] {
        EXPECT_NO_THROW(half_header = exchange(http_port(), "GET / HTTP/1.1\r\nX-Slow: "));
    });
    std::thread after([&] {
        EXPECT_NO_THROW(idle = exchange(http_port(), "GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    });
    std::string half_body;
    std::thread body([&] {
        half_body = run({.argv = {"openssl", "s_client", "-quiet", "-connect", "127.0.0.1" + port(),
                                  "-CAfile", root() / "server.crt"},
                         .input = "POST / HTTP/1.1\r\nHost: localhost\r\n"
                                  "Content-Length: 9\r\n\r\nhalf"})
                        .out;
    });
    EXPECT_NO_THROW(exchange(https_port(), "\x16\x03\x01")) << "half a handshake";
    body.join();
    header.join();
    after.join();
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(15));
    EXPECT_TRUE(half_header.starts_with("HTTP/1.1 408 ")) << half_header;
    EXPECT_TRUE(half_body.starts_with("HTTP/1.1 408 ")) << half_body;
    EXPECT_TRUE(idle.starts_with("HTTP/1.1 308 ")) << idle;
}

// Answers whatever is asked over http on a port of 127.0.0.1 with the same body.
class Responder {
  public:
    Responder(int port, std::string type, std::string body)
    {
        const int yes = 1;  // the port may have been another one's a moment ago
        ::setsockopt(socket_.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
        if (!bind(socket_, address_of(port)) || ::listen(socket_.get(), 8) != 0) {
            throw_errno("responder");
        }
        const std::string answer = "HTTP/1.0 200 OK\r\nContent-Type: " + std::move(type) +
                                   "\r\nContent-Length: " + std::to_string(body.size()) +
                                   "\r\n\r\n" + std::move(body);
        thread_ = std::thread([this, answer] {
            for (int client = 0; (client = ::accept(socket_.get(), nullptr, nullptr)) >= 0;) {
                char request[4096];
                if (::recv(client, request, sizeof request, 0) > 0) {
                    ::send(client, answer.data(), answer.size(), MSG_NOSIGNAL);
                }
                ::shutdown(client, SHUT_WR);
                while (::recv(client, request, sizeof request, 0) > 0) {
                }
                ::close(client);
            }
        });
    }
    ~Responder()
    {
        ::shutdown(socket_.get(), SHUT_RDWR);  // ends accept()
        thread_.join();
    }
    Responder(const Responder&) = delete;
    Responder& operator=(const Responder&) = delete;

  private:
    Descriptor socket_ = tcp_socket();
    std::thread thread_;
};

TEST_F(Production, StaplesWhereTheCertificateNamesAResponder)
{
    const Path ca = root() / "ca";
    make_client_cert(ca, "x");  // for its CA
    const int responder_port = free_ports(1).front();
    write("extensions",
          "subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth\n"
          "authorityInfoAccess=OCSP;URI:http://127.0.0.1:" +
              std::to_string(responder_port) + "/\n");
    write("index", "V\t491231235959Z\t\t0A\tunknown\t/CN=localhost\n");
    const auto openssl = [](std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), "openssl");
        const Finished finished = run({.argv = arguments});
        EXPECT_EQ(finished.status, 0) << finished.err;
    };
    openssl({"req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
             "-subj", "/CN=localhost", "-keyout", root() / "server.key", "-out",
             root() / "server.csr"});
    openssl({"x509", "-req", "-in", root() / "server.csr", "-CA", ca / "ca.crt", "-CAkey",
             ca / "ca.key", "-set_serial", "0x0A", "-days", "9", "-extfile", root() / "extensions",
             "-out", root() / "leaf.crt"});
    openssl({"ocsp", "-issuer", ca / "ca.crt", "-cert", root() / "leaf.crt", "-no_nonce", "-reqout",
             root() / "request"});
    openssl({"ocsp", "-index", root() / "index", "-CA", ca / "ca.crt", "-rsigner", ca / "ca.crt",
             "-rkey", ca / "ca.key", "-reqin", root() / "request", "-respout", root() / "response",
             "-ndays", "1"});
    write("server.crt", read_file(root() / "leaf.crt") + read_file(ca / "ca.crt"));
    std::unique_ptr<Responder> responder;
    responder = std::make_unique<Responder>(responder_port, "application/ocsp-response",
                                            read_file(root() / "response"));

    const std::vector<std::string> ask_for_status{"-status", "-CAfile", ca / "ca.crt"};
    // OpenSSL 3.6 has the plural.
    const std::string no_response = "OCSP responses?: no responses? sent";
    start(recipe("production.conf"));
    EXPECT_TRUE(finds(handshake(ask_for_status).out, no_response));
    stop();
    start("Define HELLO_STAPLING\n" + recipe("production.conf"));
    const Finished stapled = handshake(ask_for_status);
    EXPECT_EQ(stapled.status, 0) << stapled.err;
    EXPECT_NE(stapled.out.find("OCSP Response Status: successful"), std::string::npos)
        << stapled.out << stapled.err;
    EXPECT_NE(stapled.out.find("Cert Status: good"), std::string::npos) << stapled.out;
    stop();

    // A responder that is down, or says "try later": browsers go on without, and are not told.
    expect_log("AH01974");  // could not connect to the responder
    expect_log("AH01941");  // responder error
    for (const char* const said : {"", "\x30\x03\x0a\x01\x03"}) {
        responder.reset();
        if (*said != '\0') {
            responder =
                std::make_unique<Responder>(responder_port, "application/ocsp-response", said);
        }
        start("Define HELLO_STAPLING\n" + recipe("production.conf"));
        const Finished without = handshake(ask_for_status);
        EXPECT_TRUE(finds(without.out, no_response)) << without.out;
        stop();
    }
}

TEST_F(Production, GoesTogetherWithALogin)
{
    make_quick_cert(root());
    add_user("ada", "secret");
    write("session.key", "a key\n");
    start(recipe("login.conf") + recipe("production.conf"));
    const std::string form = "httpd_username=ada&httpd_password=secret";
    EXPECT_EQ(get_tls("/private").header("location"), "/login?to=/private");
    const Response in = ask({.url = https("/login"), .method = "POST", .body = form});
    const std::string cookie = in.header("set-cookie").value_or("");
    const Response page = ask(
        {.url = https("/private"), .headers = {"Cookie: " + cookie.substr(0, cookie.find(';'))}});
    EXPECT_NE(page.body.find("Hello ada!"), std::string::npos) << page;
    EXPECT_EQ(page.header("strict-transport-security"), "max-age=63072000");
    EXPECT_TRUE(page.header("content-security-policy").has_value());
    for (const char* const path : {"/private", "/login", "/logout"}) {
        const Response plain = fetch({.url = http(path), .method = "POST", .body = form});
        EXPECT_EQ(plain.status, 308) << path << plain;
        EXPECT_EQ(plain.header("location"), https(path));
        EXPECT_EQ(plain.header("set-cookie"), std::nullopt);
    }
}

TEST_F(Production, AsksNobodyForAPasswordBeforeTheRedirect)
{
    make_quick_cert(root());
    add_user("ada", "secret");
    start(recipe("basic-auth.conf") + recipe("production.conf"));
    for (const char* const user : {"", "ada:secret", "ada:wrong"}) {
        const Response plain = fetch({.url = http("/private"), .user = user});
        EXPECT_EQ(plain.status, 308) << plain;
        EXPECT_EQ(plain.header("www-authenticate"), std::nullopt);
    }
    EXPECT_EQ(get_tls("/private").status, 401);
    EXPECT_EQ(ask({.url = https("/private"), .user = "ada:secret"}).status, 200);
}

}  // namespace
}  // namespace hello
