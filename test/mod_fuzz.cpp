// mod_fuzz - libFuzzer for the parts of mod_hello that texts from outside reach, within a real
// httpd.
//
//     httpd -t -f fuzz.conf -c "Fuzz script -max_total_time=15"
//
// tries a target for 15 seconds: html, script, body or type. It is no server's: what is tried is
// tried in the test of a configuration, which has httpd's own expressions and needs no request. An
// answer is judged by parsers that nobody here wrote. Where one disagrees, or a sanitizer does, the
// text is in a file crash-... and httpd ends with another status than 0.

// NOLINTNEXTLINE(bugprone-suspicious-include): what is tried is in no header
#include "../mod_hello.cpp"

#include <gumbo.h>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <span>
#include <tuple>

extern "C" {
[[gnu::visibility("default")]] extern module fuzz_module;
// NOLINTNEXTLINE(bugprone-reserved-identifier): libFuzzer's name
int LLVMFuzzerRunDriver(int* argc, char*** argv,
                        int (*callback)(const std::uint8_t* data, std::size_t size));
}

namespace {

using nlohmann::json;

/// What libFuzzer takes for a crash.
void expect(bool holds, const char* what, std::string_view shown)
{
    if (!holds) {
        std::fprintf(stderr, "expected %s: %.*s\n", what, static_cast<int>(shown.size()),
                     shown.data());
        std::abort();
    }
}

std::string escaped(Escape escape, std::string_view value)
{
    Answer answer;
    escape(answer, value);
    return std::string(answer.bytes());
}

/// UTF-8, with U+FFFD for what is none.
std::string as_utf8(std::string_view text)
{
    const auto replace = json::error_handler_t::replace;
    return json::parse(json(text).dump(-1, ' ', true, replace)).get<std::string>();
}

/// What Gumbo makes of a value that is text: line ends of one kind, and no character that the HTML
/// of its day had no place for.
std::string as_gumbo_reads(std::string_view value)
{
    std::string read;
    for (std::size_t length = 0; !value.empty(); value.remove_prefix(length)) {
        char32_t code = 0;
        std::tie(length, code) = decode_utf8(value);
        if (code == '\r') {
            length += value.substr(1, 1) == "\n" ? 1 : 0;
            read += '\n';
            continue;
        }
        const bool is_replaced =
            (code < ' ' && code != '\t' && code != '\n') || (code >= 0x7F && code <= 0x9F) ||
            (code >= 0xFDD0 && code <= 0xFDEF) || code == 0xFFFD || (code & 0xFFFEU) == 0xFFFE;
        read += is_replaced ? "\uFFFD"sv : value.substr(0, length);
    }
    return read;
}

/// The elements below a node, its attributes and text, in a line that differs where any differs.
// NOLINTNEXTLINE(misc-no-recursion): a page is a tree, and Gumbo bounds its depth
std::string shape_of(const GumboNode& node)
{
    if (node.type != GUMBO_NODE_ELEMENT) {
        return std::string("[") + node.v.text.text + "]";
    }
    const GumboElement& element = node.v.element;
    std::string shape = std::string("<") + gumbo_normalized_tagname(element.tag);
    for (unsigned i = 0; i < element.attributes.length; ++i) {
        const auto* const attribute = static_cast<GumboAttribute*>(element.attributes.data[i]);
        shape += std::string(" ") + attribute->name + "=[" + attribute->value + "]";
    }
    shape += ">";
    for (unsigned i = 0; i < element.children.length; ++i) {
        shape += shape_of(*static_cast<GumboNode*>(element.children.data[i]));
    }
    return shape;
}

/// A value in an element and in attributes changes nothing around it, and is itself there.
void try_html(std::string_view value, apr_pool_t* /*pool*/)
{
    const std::string text = escaped(put_html, value);
    const std::string page = "<!doctype html><title>t</title><body><p title=\"" + text +
                             "\" class='" + text + "'>(" + text + ")</p>";
    GumboOutput* const read =
        gumbo_parse_with_options(&kGumboDefaultOptions, page.data(), page.size());
    const std::string shape = shape_of(*read->root);
    gumbo_destroy_output(&kGumboDefaultOptions, read);
    const std::string shown = as_gumbo_reads(value);
    expect(shape == "<html><head><title>[t]<body><p title=[" + shown + "] class=[" + shown +
                        "]>[(" + shown + ")]",
           "the value itself, and nothing else", shape);
    const auto markup = [](const std::string& text) {
        return std::count_if(text.begin(), text.end(), [](char c) { return c == '<' || c == '>'; });
    };
    expect(markup(text) == 0, "no markup", text);
}

/// A value in a string of JSON is that value, in ASCII that ends no string and no <script>.
void try_script(std::string_view value, apr_pool_t* /*pool*/)
{
    const std::string text = escaped(put_script, value);
    const bool is_safe = std::all_of(text.begin(), text.end(), [](char c) {
        return c >= ' ' && c <= '~' && R"("'`$<>&)"sv.find(c) == std::string_view::npos;
    });
    expect(is_safe, "nothing that ends a string", text);
    const json read = json::parse('"' + text + '"', nullptr, false);
    expect(read.is_string() && read.get<std::string>() == as_utf8(value), "the same value", text);
}

/// A text as a body is refused, or it is that text: literals and sources of expressions in turn.
void try_body(std::string_view text, apr_pool_t* pool)
{
    Message message;
    try {
        message = parse(pool, text, false, {"fuzz", 1, AP_EXPR_FLAG_RESTRICTED});
    } catch (const std::exception& refusal) {
        expect(*refusal.what() != '\0', "a reason", text);
        return;
    }
    std::string put_together;
    const auto put = [&put_together](std::string_view literal) {
        for (std::size_t at = 0; at < literal.size(); ++at) {
            put_together += literal.substr(at, 2) == "%{" ? R"(\%)" : literal.substr(at, 1);
        }
    };
    put(message.bytes);
    for (const Piece& piece : message.pieces) {
        put(piece.text);
        const auto lines = 1 + std::count(put_together.begin(), put_together.end(), '\n');
        const std::string place = "fuzz:" + std::to_string(lines) + ": ";
        const std::string_view origin = piece.origin != nullptr ? piece.origin : "";
        expect(piece.expression == nullptr || origin.starts_with(place), "its line", origin);
        put_together += origin.substr(piece.expression != nullptr ? place.size() : 0);
    }
    expect(put_together == text, "the same text", put_together);
}

/// Takes a token of RFC 9110, section 5.6.2, away; what it was.
std::string_view take_token(std::string_view& text)
{
    const auto is_part = [](char c) {
        return c > ' ' && c < 0x7F && R"("(),/:;<=>?@[\]{})"sv.find(c) == std::string_view::npos;
    };
    std::size_t length = 0;
    while (length < text.size() && is_part(text[length])) {
        ++length;
    }
    const std::string_view token = text.substr(0, length);
    text.remove_prefix(length);
    return token;
}

bool take(std::string_view& text, char c)
{
    const bool is_there = text.starts_with(c);
    text.remove_prefix(is_there ? 1 : 0);
    return is_there;
}

void take_blanks(std::string_view& text)
{
    text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
}

/// Whether a text is a media type, read from left to right: RFC 9110, sections 5.6.6 and 8.3.1,
/// but for a semicolon with nothing after it.
bool is_media_type(std::string_view text)
{
    if (take_token(text).empty() || !take(text, '/') || take_token(text).empty()) {
        return false;
    }
    while (!text.empty()) {
        take_blanks(text);
        if (!take(text, ';')) {
            return false;
        }
        take_blanks(text);
        if (take_token(text).empty() || !take(text, '=')) {
            return false;
        }
        if (take(text, '"')) {
            const auto end = text.find('"');
            const auto quoted = text.substr(0, end);
            const bool is_plain = std::all_of(quoted.begin(), quoted.end(), [](char c) {
                return c >= ' ' && c <= '~' && c != '\\';
            });
            if (end == std::string_view::npos || !is_plain) {
                return false;
            }
            text.remove_prefix(end + 1);
        } else if (take_token(text).empty()) {
            return false;
        }
    }
    return true;
}

/// A type is taken if it is one, and what a browser would run as a script is escaped as one.
void try_type(std::string_view text, apr_pool_t* pool)
{
    const char* const value = copy_in(pool, text).data();
    cmd_parms cmd{};
    cmd.pool = pool;
    cmd.temp_pool = pool;
    Config config;
    std::string refusal;
    try {
        set_type(&cmd, config, {value});
    } catch (const std::exception& error) {
        refusal = error.what();
    }
    const bool is_unsafe = refusal.find("no script can be escaped in") != std::string::npos;
    expect(is_media_type(value) == (refusal.empty() || is_unsafe), "the other verdict", value);
    if (refusal.empty()) {
        char* const name = apr_pstrdup(pool, value);
        ap_str_tolower(name);
        const std::string_view essence =
            std::string_view(name).substr(0, text.find_first_of("; \t"));
        const bool is_script = essence.find("json") != std::string::npos ||
                               essence.find("javascript") != std::string::npos ||
                               essence.find("ecmascript") != std::string::npos;
        expect((config.type->escape == put_script) == is_script ||
                   essence.find("script") != std::string::npos,
               "the escape of its type", value);
    }
}

struct Target {
    std::string_view name;
    void (*attempt)(std::string_view, apr_pool_t*);
};
constexpr Target targets[] = {
    {"html", try_html}, {"script", try_script}, {"body", try_body}, {"type", try_type}};

const Target* target = nullptr;
std::vector<std::string> arguments;
apr_pool_t* parent_pool = nullptr;

int attempt(const std::uint8_t* data, std::size_t size)
{
    apr_pool_t* pool = nullptr;
    apr_pool_create(&pool, parent_pool);
    target->attempt({reinterpret_cast<const char*>(data), size}, pool);
    apr_pool_destroy(pool);
    return 0;
}

const char* set_fuzz(cmd_parms* /*cmd*/, void* /*config*/, int argc, char* const argv[])
{
    const std::span<char* const> words(argv, static_cast<std::size_t>(argc));
    for (const Target& known : targets) {
        target = argc > 0 && known.name == words[0] ? &known : target;
    }
    arguments.assign(words.begin(), words.end());
    return target != nullptr ? nullptr
                             : "Fuzz: expected html, script, body or type, and then libFuzzer's "
                               "arguments";
}

/// libFuzzer ends the process itself.
void fuzz(apr_pool_t* pool, server_rec* /*main*/)
{
    if (target == nullptr) {
        return;
    }
    parent_pool = pool;
    std::vector<char*> pointers;
    for (std::string& argument : arguments) {
        pointers.push_back(argument.data());
    }
    int argc = static_cast<int>(pointers.size());
    pointers.push_back(nullptr);
    char** argv = pointers.data();
    LLVMFuzzerRunDriver(&argc, &argv, attempt);
}

void register_fuzz(apr_pool_t* /*pool*/)
{
    ap_hook_test_config(fuzz, nullptr, nullptr, APR_HOOK_MIDDLE);
}

const command_rec fuzz_directives[] = {
    AP_INIT_TAKE_ARGV("Fuzz", set_fuzz, nullptr, RSRC_CONF, "a target, and libFuzzer's arguments"),
    {},
};

}  // namespace

module_struct fuzz_module = {
    STANDARD20_MODULE_STUFF, nullptr, nullptr, nullptr, nullptr, fuzz_directives, register_fuzz,
#ifdef AP_MODULE_FLAG_NONE
    AP_MODULE_FLAG_NONE,
#endif
};
