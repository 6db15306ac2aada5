// conf/examples/production.conf with mod_qos, when one address holds hundreds of connections:
// a short form of test/strangers.sh.

#include <chrono>

#include "crowd.h"
#include "examples.h"

namespace hello {
namespace {

using namespace std::string_literals;

class Strangers : public ExampleTest {
  protected:
    static constexpr const char* stranger = "127.0.0.66";
    static constexpr const char* half_header = "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ";

    Strangers() { make_quick_cert(root()); }

    static std::string qos()
    {
        const std::string library = HELLO_QOS_LIBRARY;
        return (library.empty() ? "" : "LoadFile \"" + library + "\"\n") +
               "LoadModule qos_module \"" HELLO_QOS_MODULE "\"\n";
    }

    /// Whether somebody else is answered, over http and https, well before the crowd times out.
    void expect_answers() const
    {
        const auto begin = std::chrono::steady_clock::now();
        EXPECT_EQ(fetch({.url = http(), .from = "127.0.0.2"}).status, 308);
        const Response secure =
            fetch({.url = https(), .ca = root() / "server.crt", .from = "127.0.0.2"});
        EXPECT_EQ(secure.body, "Hello World!") << secure.error;
        EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
    }
};

TEST_F(Strangers, OneAddressThatHoldsConnectionsKeepsNobodyOut)
{
    start(qos() + recipe("production.conf"));
    const std::string half_hello = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"s;
    // Twice 600 would be more than there are threads.
    const Crowd plain(stranger, http_port(), 600, half_header);
    const Crowd secure(stranger, https_port(), 600, half_hello);
    expect_answers();
    EXPECT_TRUE(eventually([&] { return plain.held() + secure.held() <= 300; }))
        << plain.held() << " and " << secure.held();
    EXPECT_GE(plain.held() + secure.held(), 40) << "the limit of the whole server counts";
    expect_answers();
    // Refusals are not logged, one by one, and nothing of them is unexpected.
    EXPECT_EQ(error_log().find("mod_qos("), std::string::npos) << error_log();
}

TEST_F(Strangers, AnAddressGetsTheConnectionsThatItIsGiven)
{
    start(qos() + "Define HELLO_CONNECTIONS 500\n" + recipe("production.conf"));
    const Crowd crowd(stranger, http_port(), 450, half_header);
    expect_answers();
    EXPECT_EQ(crowd.held(), 450);
}

// Whichever comes first of the two recipes.
TEST_F(Strangers, TheConnectionsOfABalancerAreNotCounted)
{
    const std::string balancer = "Define HELLO_BALANCER 127.0.0.66/31\n";
    const std::string header = "PROXY TCP4 192.0.2.1 127.0.0.1 1 2\r\n";
    for (const char* const name : {"node.conf", "balancer.conf"}) {
        for (const bool is_first : {true, false}) {
            SCOPED_TRACE(std::string(name) + (is_first ? " before" : " after"));
            const std::string production = recipe("production.conf");
            const std::string other = balancer + recipe(name);
            start(qos() + (is_first ? other + production : production + other));
            const bool is_node = std::string_view(name) == "node.conf";
            {
                const Crowd crowd(stranger, http_port(), 450,
                                  (is_node ? header : "") + half_header);
                EXPECT_EQ(fetch({.url = http(), .from = stranger, .proxied = is_node}).status, 308);
                EXPECT_EQ(crowd.held(), 450);
            }
            stop();
        }
    }
}

}  // namespace
}  // namespace hello
