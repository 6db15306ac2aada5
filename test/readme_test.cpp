// The READMEs are true: each configuration in them loads, each command is one that its script
// knows, each link leads somewhere, and the reference says of each directive what httpd says.

#include <filesystem>
#include <regex>
#include <set>
#include <sstream>

#include "httpd.h"

namespace hello {
namespace {

namespace fs = std::filesystem;

const char* const readmes[] = {"README.md", "conf/examples/README.md", "test/README.md"};

std::string text_of(const Path& readme)
{
    return read_file(source_dir() / readme);
}

/// What all matches of a pattern have as their group 1.
std::vector<std::string> all_of(const std::string& text, const std::string& pattern)
{
    const std::regex regex(pattern);
    std::vector<std::string> found;
    for (auto at = std::sregex_iterator(text.begin(), text.end(), regex);
         at != std::sregex_iterator(); ++at) {
        found.push_back((*at)[1]);
    }
    return found;
}

/// The blocks in one language.
std::vector<std::string> blocks_of(const std::string& text, const std::string& language)
{
    return all_of(text, "```" + language + "\n([^`]*)```");
}

/// A heading as GitHub's links name it.
std::string anchor_of(std::string heading)
{
    std::erase_if(heading, [](unsigned char c) {
        return std::isalnum(c) == 0 && c != ' ' && c != '-' && c != '_';
    });
    for (char& c : heading) {
        c = c == ' ' ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
    return heading;
}

class Readme : public HttpdTest {
  protected:
    std::string text_ = text_of("README.md");
};

TEST_F(Readme, IsOneSitting)
{
    std::istringstream words(text_);
    EXPECT_LE(std::distance(std::istream_iterator<std::string>(words),
                            std::istream_iterator<std::string>()),
              2200);
}

TEST_F(Readme, EachConfigurationLoads)
{
    write("conf/examples/whoami.json", text_of("conf/examples/whoami.json"));
    std::size_t count = 0;
    for (const char* const readme : readmes) {
        for (const std::string& block : blocks_of(text_of(readme), "apache")) {
            // The harness has loaded the module by its own path.
            const std::string configuration =
                std::regex_replace(block, std::regex("LoadModule hello_module .*\n"), "");
            const Finished checked = check(configuration);
            EXPECT_EQ(checked.status, 0) << readme << ":\n" << configuration << checked.err;
            ++count;
        }
    }
    EXPECT_GE(count, 6U);
}

TEST_F(Readme, EachLinkLeadsSomewhere)
{
    for (const Path readme : readmes) {
        for (const std::string& link : all_of(text_of(readme), R"(\]\(([^)]*)\))")) {
            if (link.starts_with("https://")) {
                continue;
            }
            const auto mark = std::min(link.find('#'), link.size());
            const Path target = mark == 0
                                    ? source_dir() / readme
                                    : source_dir() / readme.parent_path() / link.substr(0, mark);
            EXPECT_TRUE(fs::exists(target)) << readme << ": " << link;
            if (mark < link.size()) {
                std::set<std::string> anchors;
                for (const std::string& heading : all_of(read_file(target), "\n#+ ([^\n]*)")) {
                    anchors.insert(anchor_of(heading));
                }
                EXPECT_TRUE(anchors.contains(link.substr(mark + 1))) << readme << ": " << link;
            }
        }
    }
}

// What they do is for the tests of each script to see.
TEST_F(Readme, EachCommandIsOneThatItsScriptKnows)
{
    const std::regex command(R"(^(?:sudo )?((?:scripts|test)/[a-z.-]+)((?: [^#\n]*)?))");
    std::size_t count = 0;
    for (const char* const readme : readmes) {
        for (std::string block : blocks_of(text_of(readme), "sh")) {
            block = std::regex_replace(block, std::regex(R"(\\\n)"), "");
            std::istringstream lines(block);
            for (std::string line; std::getline(lines, line);) {
                std::smatch found;
                if (!std::regex_search(line, found, command)) {
                    continue;
                }
                ++count;
                const Finished help = run({.argv = {source_dir() / found.str(1), "--help"}});
                EXPECT_EQ(help.status, 0) << line << help.err;
                for (const std::string& option : all_of(found.str(2), " (--?[A-Za-z-]+)")) {
                    EXPECT_TRUE(contains(help.out, option)) << readme << ": " << line;
                }
                for (const std::string& name : all_of(found.str(2), " --example ([a-z-]+)")) {
                    EXPECT_TRUE(fs::exists(source_dir() / "conf/examples" / (name + ".conf")))
                        << readme << ": " << line;
                }
            }
        }
    }
    EXPECT_GE(count, 20U);
}

TEST_F(Readme, TheSmallestConfigurationAnswers)
{
    const auto found = all_of(text_, "```apache\nLoadModule hello_module .*\n([^`]*)```");
    ASSERT_EQ(found.size(), 1U);
    start(found[0]);
    EXPECT_EQ(get("/hello").body, "Hello World!");
}

TEST_F(Readme, WhatHttpdDoesByItselfIsSo)
{
    const auto found =
        all_of(text_of("conf/examples/README.md"), "```apache\n(Redirect 204 [^`]*)```");
    ASSERT_EQ(found.size(), 1U);
    write("htdocs/text.asis", "Status: 203\nContent-Type: text/plain\n\nas it is");
    start(
        "LoadModule asis_module " + (httpd_modules() / "mod_asis.so").string() +
        "\nDocumentRoot ${ROOT}/htdocs\n<Location /pong/closed>\nRequire all denied\n</Location>\n"
        "<Directory ${ROOT}/htdocs>\nRequire all granted\n</Directory>\n" +
        found[0]);
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
    std::ptrdiff_t count = 0;
    for (auto at = std::sregex_iterator(listed.out.begin(), listed.out.end(), entry);
         at != std::sregex_iterator(); ++at, ++count) {
        const std::string name = (*at)[1];
        SCOPED_TRACE(name);
        EXPECT_EQ((*at)[3],
                  name == "HelloFirst"
                      ? "Allowed in *.conf only inside <Directory>, <Files>, <Location>, or <If>"
                      : "Allowed in *.conf anywhere");
        if (name == "<HelloMessage") {
            continue;  // the reference has it beside the directive of one line
        }
        const std::regex row("\n\\| `" + name + " [^|]*\\| [^|]* \\| ([^|]*) \\|\n");
        std::smatch found;
        ASSERT_TRUE(std::regex_search(text_, found, row));
        EXPECT_EQ(found[1], (*at)[2]);
    }
    EXPECT_EQ(count, 7) << listed.out << listed.err;
    EXPECT_EQ(std::ssize(all_of(text_, "\n\\| `(Hello\\w+) ")), count - 1);
}

}  // namespace
}  // namespace hello
