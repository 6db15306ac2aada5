// The README is true: each configuration in it loads, and its reference says of each
// directive what httpd says.

#include <regex>
#include <sstream>

#include "httpd.h"

namespace hello {
namespace {

class Readme : public HttpdTest {
  protected:
    std::string text_ = read_file(source_dir() / "README.md");
};

TEST_F(Readme, EachConfigurationLoads)
{
    write("conf/examples/whoami.json", read_file(source_dir() / "conf/examples/whoami.json"));
    const std::regex block("```apache\n([^`]*)```");
    int count = 0;
    for (auto at = std::sregex_iterator(text_.begin(), text_.end(), block);
         at != std::sregex_iterator(); ++at, ++count) {
        // The harness has loaded the module by its own path.
        const std::string configuration =
            std::regex_replace((*at)[1].str(), std::regex("LoadModule hello_module .*\n"), "");
        const Finished checked = check(configuration);
        EXPECT_EQ(checked.status, 0) << configuration << checked.err;
    }
    EXPECT_GE(count, 6);
}

TEST_F(Readme, TheSmallestConfigurationAnswers)
{
    const std::regex block("```apache\nLoadModule hello_module .*\n([^`]*)```");
    std::smatch found;
    ASSERT_TRUE(std::regex_search(text_, found, block));
    start(found[1].str());
    EXPECT_EQ(get("/hello").body, "Hello World!");
}

TEST_F(Readme, WhatHttpdDoesByItselfIsSo)
{
    const std::regex block("```apache\n(Redirect 204 [^`]*)```");
    std::smatch found;
    ASSERT_TRUE(std::regex_search(text_, found, block));
    write("htdocs/text.asis", "Status: 203\nContent-Type: text/plain\n\nas it is");
    start(
        "LoadModule asis_module " + (httpd_modules() / "mod_asis.so").string() +
        "\nDocumentRoot ${ROOT}/htdocs\n<Location /pong/closed>\nRequire all denied\n</Location>\n"
        "<Directory ${ROOT}/htdocs>\nRequire all granted\n</Directory>\n" +
        found[1].str());
    for (const char* const method : {"GET", "POST"}) {
        EXPECT_EQ(fetch({.url = http("/generate_204/x"), .method = method}).status, 204);
        const Response pong = fetch({.url = http("/pong/closed"), .method = method});
        EXPECT_EQ(pong.status, 200) << pong;
        EXPECT_EQ(pong.body, "pong");
        EXPECT_EQ(pong.header("etag"), std::nullopt) << pong;
        EXPECT_TRUE(pong.header("content-type")->starts_with("text/html")) << pong;
    }
    EXPECT_EQ(get("/text.asis").status, 203);
    EXPECT_EQ(get("/text.asis").body, "as it is");
    EXPECT_TRUE(fetch({.url = http("/text.asis"), .method = "POST"}).body.starts_with("Status:"));
    EXPECT_EQ(get("/either").body, "<h1>Hello</h1>");
    const Response json = fetch({.url = http("/either"), .headers = {"Accept: application/json"}});
    EXPECT_EQ(json.body, R"({"hello": "world"})");
    EXPECT_EQ(json.header("vary"), "Accept");
    EXPECT_EQ(get("/once").header("connection"), "close");
}

TEST_F(Readme, ReferenceSaysWhatHttpdSays)
{
    ASSERT_EQ(check("").status, 0);
    const Finished listed =
        run({.argv = {httpd_path(), "-L", "-f", root() / "httpd.conf"}, .under_sanitizer = true});
    const std::regex entry(R"((<?\w+) \(mod_hello\.cpp\)\n\t(.*)\n\t(.*)\n)");
    int count = 0;
    for (auto at = std::sregex_iterator(listed.out.begin(), listed.out.end(), entry);
         at != std::sregex_iterator(); ++at, ++count) {
        const std::string name = (*at)[1];
        if (name == "<HelloMessage") {
            continue;  // the reference has it beside the directive of one line
        }
        SCOPED_TRACE(name);
        const bool is_for_sections = name == "HelloFirst";
        EXPECT_EQ((*at)[3], is_for_sections ? "Allowed in *.conf only inside <Directory>, <Files>, "
                                              "<Location>, or <If>"
                                            : "Allowed in *.conf anywhere");
        const std::size_t section = text_.find("### " + name + "\n");
        ASSERT_NE(section, std::string::npos);
        const std::string reference = text_.substr(section, text_.find("\n#", section) - section);
        for (const std::string& row :
             {"| Description | " + (*at)[2].str() + " |", "| Syntax | `" + name + " ",
              std::string("| Context | ") +
                  (is_for_sections ? "" : "server config, virtual host, ") + "directory |",
              std::string("| Override | none |"), std::string("| Module | mod_hello |"),
              std::string("```apache\n")}) {
            EXPECT_NE(reference.find(row), std::string::npos) << row;
        }
    }
    EXPECT_EQ(count, 7) << listed.out << listed.err;
    const std::regex heading("### (Hello\\w+)");
    EXPECT_EQ(std::distance(std::sregex_iterator(text_.begin(), text_.end(), heading),
                            std::sregex_iterator()),
              count - 1);
}

}  // namespace
}  // namespace hello
