// Which section wins, directive by directive.

#include <iterator>

#include "message.h"

namespace hello {
namespace {

// From the outermost to the innermost, in the order in which httpd merges them.
const Place levels[] = {
    {"server", "", ""},
    {"virtual host", "<VirtualHost *:${HTTP_PORT}>\n", "</VirtualHost>\n"},
    {"directory", "<Directory \"${ROOT}/htdocs\">\n", "</Directory>\n"},
    {"files", "<Files page.html>\n", "</Files>\n"},
    {"location", "<Location /page.html>\n", "</Location>\n"},
    {"location match", "<LocationMatch ^/page>\n", "</LocationMatch>\n"},
    {"if", "<If \"true\">\n", "</If>\n"},
};

class Sections : public Message {
  protected:
    void SetUp() override
    {
        write("body", "file");
        start(one_child + page());
    }

    void use(const std::string& directives) { reload(one_child + page() + directives); }

    static std::string in(const Place& level, const std::string& directives)
    {
        return level.open + directives + level.close;
    }

    void expect(long status, const char* type, const char* body)
    {
        const Response response = get("/page.html");
        EXPECT_EQ(response.status, status);
        EXPECT_EQ(response.header("content-type"), type);
        EXPECT_EQ(response.body, body);
    }
};

TEST_F(Sections, EachLevelTakesEachDirective)
{
    for (const Place& level : levels) {
        SCOPED_TRACE(level.name);
        use(in(level, "HelloMessage mine\nHelloType text/mine\nHelloStatus 222\n"));
        expect(222, "text/mine", "mine");
        use(in(level, "HelloFile body\n"));
        expect(200, "text/html; charset=utf-8", "file");
    }
}

TEST_F(Sections, TheInnerOneWinsDirectiveByDirective)
{
    for (const auto* outer = std::begin(levels); outer != std::end(levels); ++outer) {
        for (const auto* inner = outer + 1; inner != std::end(levels); ++inner) {
            SCOPED_TRACE(std::string(inner->name) + " in " + outer->name);
            const std::string around =
                in(*outer, "HelloMessage outer\nHelloType text/outer\nHelloStatus 222\n");
            use(in(*inner, "HelloMessage inner\n") + around);
            // Two sections of one kind are merged in the order of the file.
            const bool same_kind = outer->name == std::string("location") &&
                                   inner->name == std::string("location match");
            expect(222, "text/outer", same_kind ? "outer" : "inner");
            use(around + in(*inner, "HelloMessage inner\n"));
            expect(222, "text/outer", "inner");
            use(around + in(*inner, "HelloFile body\n"));
            expect(222, "text/outer", "file");
            use(around + in(*inner, "HelloType text/inner\nHelloStatus 404\n"));
            expect(404, "text/inner", "outer");
        }
    }
}

TEST_F(Sections, MessageAndFileDisplaceEachOther)
{
    write("more.conf", "HelloMessage included\n");
    const struct {
        const char* directives;
        const char* body;
    } cases[] = {
        {"HelloMessage message\nHelloFile body\n", "file"},
        {"HelloFile body\nHelloMessage message\n", "message"},
        {"HelloFile body\n<Location /page.html>\nHelloMessage message\n</Location>\n", "message"},
        {"HelloFile body\n<Location /page.html>\nInclude more.conf\n</Location>\n", "included"},
        {"Include more.conf\n", "included"},
    };
    for (const auto& [directives, body] : cases) {
        use(directives);
        EXPECT_EQ(get("/page.html").body, body) << directives;
    }
}

TEST_F(Sections, HtaccessMayNotSetThem)
{
    const struct {
        const char* allowance;
        const char* logged;
    } cases[] = {
        {"AllowOverride All", "HelloMessage not allowed here"},
        {"AllowOverride None\nAllowOverrideList HelloMessage",
         "HelloMessage cannot occur within htaccess files"},
    };
    write("htdocs/.htaccess", "HelloMessage mine\n");
    for (const auto& [allowance, logged] : cases) {
        expect_log(logged);
        use("<Directory \"${ROOT}/htdocs\">\n" + std::string(allowance) + "\n</Directory>\n");
        EXPECT_EQ(get("/page.html").status, 500) << allowance;
    }
}

}  // namespace
}  // namespace hello
