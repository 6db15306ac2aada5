// mod_hello - an Apache httpd content handler that answers a location from the configuration.
//
//     LoadModule hello_module modules/mod_hello.so
//
//     <Location "/hello">
//         SetHandler hello
//         HelloMessage "<h1>Hello %{REMOTE_ADDR}!</h1>"
//         Require all granted
//     </Location>
//
// GET /hello is then answered after httpd's own access control and through its own
// filters. Such a location is virtual, as one of mod_proxy's is: no file is behind it.
//
// The parts: configuration, message and expressions, values in the answer, file that holds a
// message, directives, claim of a location, handler, start, guard between C++ and C, registration.
//
// The frame, which a module of your own copies: the define below and the declaration of the record,
// make_in (objects in pools), Config with merge and config_of (what sections set), Words and
// guarded (no exception reaches C), and the whole of "Registration", where guarded types the table
// of directives. The claim is for locations that no file is behind. The rest is hello's.

// httpd declares directive setters with their signatures only where designated
// initializers exist. ap_config.h grants them to C alone, and C++20 has them too.
#define AP_HAVE_DESIGNATED_INITIALIZER

#include <httpd.h>

#include <ap_expr.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mod_core.h>
#include <util_filter.h>
#include <util_md5.h>

#include <apr_cstr.h>
#include <apr_file_io.h>
#include <apr_hash.h>
#include <apr_optional.h>
#include <apr_shm.h>
#include <apr_strings.h>
#include <apr_user.h>
#if APR_HAVE_UNISTD_H
#include <unistd.h>  // geteuid
#endif

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

// httpd finds a module by the name of its record, which the build would hide.
extern "C" [[gnu::visibility("default")]] module hello_module;
APLOG_USE_MODULE(hello);
APR_DECLARE_OPTIONAL_FN(void, http2_get_num_workers, (server_rec*, int*, int*));

// Since 2.4.60, and in 2.5 later: says that a type is from the configuration.
#if !(MODULE_MAGIC_NUMBER_MAJOR == 20120211 && MODULE_MAGIC_NUMBER_MINOR >= 132) && \
    !AP_MODULE_MAGIC_AT_LEAST(20211221, 23)
#define ap_set_content_type_ex(r, type, is_trusted) ap_set_content_type(r, type)
#endif

namespace {

using namespace std::string_view_literals;

/// Constructs an object in a pool, which destroys it at its own end.
template <typename T, typename... Arguments>
T* make_in(apr_pool_t* pool, Arguments&&... arguments)
{
    static_assert(alignof(T) <= APR_ALIGN_DEFAULT(1), "a pool aligns no better");
    T* const object = new (apr_palloc(pool, sizeof(T))) T{std::forward<Arguments>(arguments)...};
    if constexpr (!std::is_trivially_destructible_v<T>) {
        const auto destroy = [](void* data) noexcept -> apr_status_t {
            static_cast<T*>(data)->~T();
            return APR_SUCCESS;
        };
        apr_pool_cleanup_register(pool, object, destroy, apr_pool_cleanup_null);
    }
    return object;
}

/// A copy that lives as long as the pool and ends in a zero, as C wants it.
std::string_view copy_in(apr_pool_t* pool, std::string_view text)
{
    return {apr_pstrmemdup(pool, text.data(), text.size()), text.size()};
}

/// By a clock that all processes share and nobody sets. A difference is right for 49 days.
std::uint32_t milliseconds_now()
{
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<std::uint32_t>(now / std::chrono::milliseconds(1));
}

// --- The configuration ------------------------------------------------------
// What the directives of one section have set. A field that is null was not set there.

class Answer;

/// Appends a value to an answer.
using Escape = void (*)(Answer& answer, std::string_view value);

struct Type {
    const char* value;  // Content-Type
    Escape escape;
    const char* tag;  // how an ETag begins that differs for this type, or null
};

struct Status {
    int code;          // 0: no answer, the connection is closed instead
    const char* line;  // code and reason, as the status line has them
};

struct Methods {
    ap_method_list_t* listed;  // null: any method is answered
    const char* allow;         // the same as the field Allow has it
};

struct Message;
struct File;
const Message* greeting = nullptr;  // where no directive says more; written by post_config

struct Config {
    const Message* message = nullptr;  // of this and file, one at most is there
    File* file = nullptr;
    const Type* type = nullptr;
    const Status* status = nullptr;
    const Methods* methods = nullptr;
    std::optional<bool> is_first{};
};

/// What holds where a section lies within another: the nearest wins, field by field.
Config merge(const Config& outer, const Config& inner)
{
    // Every field is named here, so that one more does not compile until it is merged.
    const auto& [message, file, type, status, methods, is_first] = inner;
    const bool has_body = message != nullptr || file != nullptr;
    return {
        .message = has_body ? message : outer.message,
        .file = has_body ? file : outer.file,
        .type = type != nullptr ? type : outer.type,
        .status = status != nullptr ? status : outer.status,
        .methods = methods != nullptr ? methods : outer.methods,
        .is_first = is_first ? is_first : outer.is_first,
    };
}

const Config& config_of(const request_rec* r)
{
    return *static_cast<const Config*>(ap_get_module_config(r->per_dir_config, &hello_module));
}

bool is_first(const request_rec* r)
{
    return config_of(r).is_first.value_or(false);
}

// --- The message ------------------------------------------------------------
// A body is literal text and expressions of httpd's own parser, ap_expr, in turn. All that can
// be done before a request comes is done here.

/// Literal text, and the expression that follows it, if any.
struct Piece {
    std::string_view text;
    const ap_expr_info_t* expression;
    const char* origin;  // where the expression stands, and how it reads
};

/// Which version of a file a body is made of.
struct Version {
    std::uint64_t mark;  // tells it from others
    apr_time_t mtime;
    std::size_t size;   // of its text
    std::uint64_t sum;  // of text and mark
};

/// Lives in a pool, with everything that it points to.
struct Message {
    std::vector<Piece> pieces{};
    std::string_view bytes{};              // the body, where there is no expression
    const char* etag = nullptr;            // strong: RFC 9110, section 8.8.1
    Version version{};                     // of a file
    char modified[APR_RFC822_DATE_LEN]{};  // and its date
};

constexpr int etag_size = 2 * APR_MD5_DIGESTSIZE + 2;  // in quotes
constexpr int tag_size = 8;

/// A message without an expression. The bytes are not copied.
Message constant(apr_pool_t* pool, std::string_view bytes)
{
    const auto* const data = reinterpret_cast<const unsigned char*>(bytes.data());
    const char* const digest = ap_md5_binary(pool, data, static_cast<int>(bytes.size()));
    return {.bytes = bytes, .etag = apr_pstrcat(pool, "\"", digest, "\"", nullptr)};
}

/// Where a text stands that may hold expressions.
struct Origin {
    const char* file;
    int line;
    unsigned flags;  // of ap_expr
};

/// Throws what is wrong with a text, and where it stands.
[[noreturn]] void refuse(std::string_view text, const std::string& problem, const char* place = "")
{
    throw std::runtime_error(std::string(place) + '"' + std::string(text.substr(0, 60)) +
                             (text.size() > 60 ? "...\" " : "\" ") + problem);
}

/// The length of the expression that text starts with, with those within it: a backslash takes
/// the next character along, as in server/util_expr_scan.l of httpd. Throws what is wrong.
std::size_t measure_expression(std::string_view text, const char* place)
{
    int depth = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char c = text[at];
        depth += text.substr(at, 2) == "%{" ? 1 : c == '}' ? -1 : 0;
        if (depth == 0) {
            return at + 1;
        }
        // httpd's scanner would end the process.
        if (c == '"' || c == '\'') {
            refuse(text, R"(is bad: a quote in it needs a backslash (in quotes: \\\"))", place);
        }
        at += c == '\\' ? 1 : 0;
    }
    refuse(text, "has no closing brace; expected %{...}, or \\%{ for a literal %{", place);
}

/// Parses the expression that text starts with, and takes it away. Throws what is wrong with it.
Piece parse_expression(apr_pool_t* pool, std::string_view& text, const Origin& origin)
{
    const char* const place = apr_psprintf(pool, "%s:%d: ", origin.file, origin.line);
    const std::size_t length = measure_expression(text, place);
    const char* const source = copy_in(pool, text.substr(0, length)).data();
    auto* const expression = make_in<ap_expr_info_t>(pool);
    expression->filename = origin.file;
    expression->line_number = static_cast<unsigned>(origin.line);
    expression->module_index = APLOG_MODULE_INDEX;
    expression->flags = AP_EXPR_FLAG_STRING_RESULT | origin.flags;
    const char* const error = std::strlen(source) != length
                                  ? "it holds a zero byte"
                                  : ap_expr_parse(pool, pool, expression, source, nullptr);
    if (error != nullptr) {
        refuse(source,
               std::string("(") + error +
                   "); expected a variable or function of httpd's expressions whose module is "
                   "loaded, such as %{REMOTE_ADDR}, in a HelloFile none that reads a file, as "
                   "file and filesize do; \\%{ stands for a literal %{",
               apr_pstrcat(pool, place, "bad expression ", nullptr));
    }
    text.remove_prefix(length);
    return {{}, expression, apr_pstrcat(pool, place, source, nullptr)};
}

/// Makes a body of a text with expressions, or as it is. Throws what is wrong with it.
Message parse(apr_pool_t* pool, std::string_view text, bool is_verbatim, Origin origin)
{
    if (is_verbatim) {
        return constant(pool, copy_in(pool, text));
    }
    Message message;
    std::string literal;
    const char* counted = text.data();  // up to where lines are
    const auto end_piece = [&](Piece piece) {
        piece.text = copy_in(pool, literal);
        message.pieces.push_back(piece);
        literal.clear();
    };
    while (!text.empty()) {
        const std::string_view before = text.substr(0, text.find("%{"));
        literal += before;
        text.remove_prefix(before.size());
        const char* const from = std::exchange(counted, text.data());
        origin.line += static_cast<int>(std::count(from, counted, '\n'));
        if (!text.empty() && before.ends_with('\\')) {
            literal.back() = '%';  // and the brace is text
            text.remove_prefix(1);
        } else if (!text.empty()) {
            end_piece(parse_expression(pool, text, origin));
        }
    }
    if (message.pieces.empty()) {
        return constant(pool, copy_in(pool, literal));
    }
    end_piece({});
    return message;
}

// --- Values in the answer ---------------------------------------------------
// Whatever an expression brings may come from a client. It is escaped for the type that it lands
// in, so that it stays a value there.

/// An answer as it grows. What a client sends, several times over, must not take all memory.
class Answer {
  public:
    static constexpr std::size_t most = std::size_t{16} << 20U;  // bytes

    Answer& operator+=(std::string_view piece)
    {
        if (piece.size() > most - bytes_.size()) {
            throw std::length_error(
                "the answer grows beyond 16 MiB; expected fewer or shorter "
                "values, see LimitRequestLine and LimitRequestFieldSize");
        }
        bytes_ += piece;
        return *this;
    }
    Answer& operator+=(char c) { return *this += std::string_view(&c, 1); }
    std::string_view bytes() const { return bytes_; }

  private:
    std::string bytes_{};
};

/// HTML text, safe in element content and in an attribute in quotes of either kind. A control
/// character has no place there, and ESC would switch the character set where there is none.
void put_html(Answer& out, std::string_view value)
{
    for (const char c : value) {
        out += c == '&'    ? "&amp;"sv
               : c == '<'  ? "&lt;"sv
               : c == '>'  ? "&gt;"sv
               : c == '"'  ? "&quot;"sv
               : c == '\'' ? "&#39;"sv
               : static_cast<unsigned char>(c) < ' ' && "\t\n\r"sv.find(c) == std::string_view::npos
                   ? "&#xFFFD;"sv
                   : std::string_view(&c, 1);
    }
}

/// The length and the code of the UTF-8 sequence that text starts with, or of the part of one that
/// a U+FFFD replaces: The Unicode Standard, table 3-7, "Substitution of Maximal Subparts".
std::pair<std::size_t, char32_t> decode_utf8(std::string_view text)
{
    const unsigned lead = static_cast<unsigned char>(text[0]);
    if (lead < 0xC2 || lead > 0xF4) {
        return {1, lead < 0x80 ? lead : 0xFFFD};
    }
    const std::size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    // The second byte rules out over-long forms, surrogates, and what lies past U+10FFFF.
    unsigned lowest = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    unsigned highest = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    char32_t code = lead & (0x7FU >> length);
    for (std::size_t at = 1; at < length; ++at) {
        const unsigned byte = at < text.size() ? static_cast<unsigned char>(text[at]) : 0U;
        if (byte < lowest || byte > highest) {
            return {at, 0xFFFD};
        }
        code = code << 6U | (byte & 0x3FU);
        lowest = 0x80;
        highest = 0xBF;
    }
    return {length, code};
}

/// The content of a string of JSON (RFC 8259, section 7) or JavaScript, in ASCII whatever
/// comes in: safe between quotes of any kind, and inside of <script>.
void put_script(Answer& out, std::string_view value)
{
    const auto put_unit = [&out](char32_t unit) {
        out += "\\u";
        for (const unsigned shift : {12U, 8U, 4U, 0U}) {
            out += "0123456789abcdef"[unit >> shift & 0xFU];
        }
    };
    while (!value.empty()) {
        const auto [length, code] = decode_utf8(value);
        if (code > 0xFFFF) {
            put_unit(0xD7C0 + (code >> 10U));  // the surrogates
            put_unit(0xDC00 + (code & 0x3FFU));
        } else if (code < 0x20 || code > 0x7E ||
                   R"("\'`$<>&)"sv.find(value.front()) != std::string_view::npos) {
            put_unit(code);
        } else {
            out += value.front();
        }
        value.remove_prefix(length);
    }
}

/// A part of one line: control characters, and so line ends, become spaces.
void put_line(Answer& out, std::string_view value)
{
    for (const char c : value) {
        out += static_cast<unsigned char>(c) < ' ' || c == 0x7F ? ' ' : c;
    }
}

/// The content of a field of CSV in quotes: RFC 4180, section 2.
void put_csv(Answer& out, std::string_view value)
{
    for (const char c : value) {
        out += c == '"' ? R"(")"sv : ""sv;
        put_line(out, {&c, 1});
    }
}

constexpr Type default_type{"text/html; charset=utf-8", put_html, nullptr};

/// Evaluates a body for a request. Throws why an expression has no value, and where it stands, or
/// that the answer is too long.
Answer render(request_rec* r, const Message& message, Escape escape)
{
    Answer out;
    for (const auto& [text, expression, origin] : message.pieces) {
        out += text;
        const char* error = nullptr;
        const char* const value =
            expression != nullptr ? ap_expr_str_exec(r, expression, &error) : "";
        if (error != nullptr) {
            throw std::runtime_error(std::string(origin) + ": " + error);
        }
        escape(out, value);
    }
    return out;
}

// --- The file ---------------------------------------------------------------
// A body in a file is read by the children, as the user that they have changed to, so what only
// root can read is never served. They share the newest good version in memory that outlives
// restarts, whatever becomes of the file. Nobody waits for a writer, or for another process.

constexpr std::uint32_t quiet = 100;    // milliseconds that a whole file was left alone
constexpr std::uint32_t second = 1000;  // milliseconds
constexpr apr_int32_t looked_for = APR_FINFO_MIN | APR_FINFO_IDENT;
constexpr std::hash<std::string_view> hash;

/// A number for what tells one version of a file from another; odd, so never 0.
std::uint64_t mark_of(const apr_finfo_t& found)
{
    const auto number = [](auto field) { return static_cast<std::uint64_t>(field); };
    // An mtime can be put back, and then the ctime tells.
    const std::uint64_t fields[] = {number(found.device), number(found.inode), number(found.size),
                                    number(found.mtime), number(found.ctime)};
    return hash({reinterpret_cast<const char*>(fields), sizeof fields}) | 1U;
}

/// A version and a time in one, so that no two processes mix theirs.
std::uint64_t stamp(std::uint64_t mark, std::uint32_t milliseconds)
{
    return mark << 32U | milliseconds;
}

/// What children share of a file; behind it are the texts of the two versions. It holds no
/// pointer, since the parent, which is root, would follow what any child can write.
struct Shared {
    std::atomic<std::uint64_t> newest;  // counts versions; odd or even, it is the one or the other
    std::atomic<std::uint64_t> seen;    // what was found last, and when
    std::atomic<std::uint64_t> said;    // what was complained of last, and when
    Version versions[2];
    static_assert(decltype(newest)::is_always_lock_free, "processes share it");
};

using SharedMessage = std::shared_ptr<const Message>;
std::map<std::string, File*> files;  // that the configuration names, by path and way of reading

/// A file that HelloFile names. The threads of a child share it.
struct File {
    const char* path;
    bool is_verbatim;
    const ap_directive_t* directive;
    server_rec* server;
    Shared* shared = nullptr;
    std::mutex mutex{};        // guards what follows
    std::uint64_t number = 0;  // of the newest version that was taken
    SharedMessage message{};   // the newest good one

    std::size_t most() const { return std::size_t{is_verbatim ? 16U : 1U} << 20U; }  // bytes
    char* text_of(std::uint64_t version) const
    {
        return reinterpret_cast<char*>(shared + 1) + version % 2 * most();
    }

    /// What lies at the path; all zero where it is nothing.
    apr_finfo_t look(apr_pool_t* pool) const
    {
        apr_finfo_t found{};
        return apr_stat(&found, path, looked_for, pool) == APR_SUCCESS ? found : apr_finfo_t{};
    }

    /// The text of what was found; nothing where it has changed. Throws why it cannot be a body.
    std::string load(const apr_finfo_t& found, apr_pool_t* pool) const
    {
        const auto size = static_cast<std::size_t>(found.size);
        if (found.filetype != APR_NOFILE && (found.filetype != APR_REG || size == 0)) {
            refuse(path, found.filetype == APR_REG
                             ? "is empty; expected the body"
                             : "is not a regular file; expected the body in one");
        }
        if (size > most()) {
            refuse(path, "has " + std::to_string(size) + " bytes; expected " +
                             std::to_string(most() >> 20U) + " MiB at most");
        }
        std::string text(size, '\0');
        apr_finfo_t info{};
        apr_file_t* file = nullptr;
        // Where somebody has just put a pipe, opening must not wait for a writer.
        apr_status_t status =
            apr_file_open(&file, path, APR_FOPEN_READ | APR_FOPEN_NONBLOCK, APR_OS_DEFAULT, pool);
        if (status == APR_SUCCESS) {
            status = apr_file_read_full(file, text.data(), size, nullptr);
            apr_file_info_get(&info, looked_for, file);
            apr_file_close(file);
            if (mark_of(info) != mark_of(found)) {
                return {};
            }
        }
        if (char reason[120]; status != APR_SUCCESS) {
            refuse(path, std::string("cannot be read, expected a file that holds the body: ") +
                             apr_strerror(status, reason, sizeof reason));
        }
        return text;
    }

    /// Makes a body, in a pool of its own, since versions come and go in any thread.
    SharedMessage make(const Version& version, std::string_view text) const
    {
        apr_pool_t* pool = nullptr;
        apr_pool_create_unmanaged_ex(&pool, nullptr, nullptr);
        const std::shared_ptr<apr_pool_t> owner(pool, apr_pool_destroy);
        auto* const made = make_in<Message>(
            // Whoever may write a file need not be whoever may read all that httpd can.
            pool, parse(pool, text, is_verbatim, {path, 1, AP_EXPR_FLAG_RESTRICTED}));
        made->version = version;
        apr_rfc822_date(made->modified, version.mtime);
        return {owner, made};
    }

    /// Takes the newest version that any child has found. The sum tells where two wrote at once.
    void take_newest()
    {
        const std::uint64_t before = std::exchange(number, shared->newest);
        for (std::uint64_t at = number; at != before && number - at < 2; --at) {
            const Version version = shared->versions[at % 2];
            const std::string text(text_of(at), std::min(version.size, most()));
            if (version.mark != 0 && version.sum == (hash(text) ^ version.mark)) {
                message = make(version, text);
                return;
            }
        }
    }

    /// Takes a version, and gives it to all children. The one before stays.
    void take(std::uint64_t mark, apr_time_t mtime, std::string_view text)
    {
        const Version version{mark, std::min(mtime, apr_time_now()), text.size(),
                              hash(text) ^ mark};
        message = make(version, text);
        const std::uint64_t mine = shared->newest + 1;
        std::memcpy(text_of(mine), text.data(), text.size());
        shared->versions[mine % 2] = version;
        shared->newest = mine;
    }

    /// Whether a version was seen for long enough. A clock may be wrong, so its dates tell nothing.
    bool is_whole(std::uint64_t mark) const
    {
        const std::uint64_t now = stamp(mark, milliseconds_now());
        const std::uint64_t seen = shared->seen;
        if (now >> 32U != seen >> 32U) {
            shared->seen = now;
            return false;
        }
        // What was refused was stamped with a time that is still to come.
        return static_cast<std::uint32_t>(now - seen + second) >= quiet + second;
    }

    /// Says what is wrong with a version: once for all children, and at most once a second.
    void complain(std::uint64_t mark, const char* reason, apr_pool_t* pool) const
    {
        // The same version is another one where a good one was between: both may be no file.
        const std::uint64_t good = message != nullptr ? message->version.mark : 0;
        const std::uint64_t now = stamp(mark ^ good, milliseconds_now());
        std::uint64_t said = shared->said;
        if (static_cast<std::uint32_t>(now - said) >= second &&
            shared->said.compare_exchange_strong(said, now) && now >> 32U != said >> 32U) {
            char* user = nullptr;
            apr_uid_name_get(&user, geteuid(), pool);
            ap_log_error(APLOG_MARK, APLOG_ERR, 0, server, "HelloFile at %s:%d: %s (as %s); %s",
                         directive->filename, directive->line_num, reason,
                         user != nullptr ? user : "a user without a name",
                         message != nullptr ? "the last good version goes on being served"
                                            : "there is no good version, so the answer is 500");
        }
    }

    /// The version to answer a request with; null where there never was a good one.
    SharedMessage current(apr_pool_t* pool)
    {
        if (shared == nullptr) {
            return nullptr;
        }
        const apr_finfo_t found = look(pool);
        const std::uint64_t mark = mark_of(found);
        const std::lock_guard lock(mutex);
        try {
            take_newest();
            const bool is_current = message != nullptr && message->version.mark == mark;
            if (!is_current && is_whole(mark)) {
                if (const std::string text = load(found, pool); !text.empty()) {
                    take(mark, found.mtime, text);
                }
            } else if (message == nullptr) {
                complain(~mark, "the file has just changed, or was refused a moment ago", pool);
            }
        } catch (const std::exception& error) {
            // Some causes pass, such as too many open files: it is tried again in a second.
            shared->seen = stamp(mark, milliseconds_now() + second - quiet);
            complain(mark, error.what(), pool);
        }
        return message;
    }
};

// --- The directives ---------------------------------------------------------
// Each setter takes the values, or throws what is wrong with them. httpd adds the file and
// the line, and the guard the directive's name.

using Words = std::vector<const char*>;

/// Whether the text matches, whatever its case.
bool matches(apr_pool_t* pool, const std::string& pattern, const char* text)
{
    return ap_regexec(ap_pregcomp(pool, pattern.c_str(), AP_REG_ICASE), text, 0, nullptr, 0) == 0;
}

/// Whether a body is taken as it is: by the word after the first.
bool is_verbatim(const Words& words)
{
    if (words.size() > 1 && apr_cstr_casecmp(words[1], "verbatim") != 0) {
        refuse(words[1], "is no option; expected verbatim, or nothing");
    }
    return words.size() > 1;
}

void set_message(cmd_parms* cmd, Config& config, const Words& words)
{
    const int line = cmd->directive->line_num + (cmd->directive->data != nullptr ? 1 : 0);
    const Origin origin{cmd->directive->filename, line, 0};
    config.message =
        make_in<Message>(cmd->pool, parse(cmd->pool, words[0], is_verbatim(words), origin));
    config.file = nullptr;
}

/// The lines up to the end tag, as they stand in the configuration file. Throws what is wrong.
std::vector<std::string> read_block(ap_configfile_t* file, apr_pool_t* pool)
{
    for (std::vector<std::string> lines;;) {
        std::string line;
        for (char c = 0; c != '\n' && ap_cfg_getc(&c, file) == APR_SUCCESS;) {
            line += c;
        }
        if (line.empty() || line.find('\0') != std::string::npos) {
            throw std::runtime_error(line.empty()
                                         ? "expected a line </HelloMessage> after it"
                                         : "a zero byte; expected text, or HelloFile verbatim");
        }
        if (matches(pool, R"(^\s*</HelloMessage\s*>\s*$)", line.c_str())) {
            return lines;
        }
        lines.push_back(line);
    }
}

/// How many blanks all lines begin with, and the same ones. Lines of blanks do not count.
std::size_t common_indentation(std::vector<std::string> lines)
{
    std::erase_if(lines, [](const std::string& line) {
        return line.find_first_not_of(" \t\r\n") == std::string::npos;
    });
    if (lines.empty()) {
        return 0;
    }
    // In their order, the first and the last differ the most.
    const auto [first, last] = std::minmax_element(lines.begin(), lines.end());
    const auto end = std::mismatch(first->begin(), first->end(), last->begin(), last->end()).first;
    return std::min(first->find_first_not_of(" \t"),
                    static_cast<std::size_t>(end - first->begin()));
}

/// Puts a HelloMessage in the place of a block, without the common indentation. This is done
/// while httpd reads, since it would join and trim lines, and put values into them.
void set_block(cmd_parms* cmd, ap_directive_t*& place, const Words& words)
{
    const char* const option = words.size() == 1
                                   ? words[0]
                                   : apr_pstrcat(cmd->temp_pool, words[0], " ", words[1], nullptr);
    if (!matches(cmd->temp_pool, "^(verbatim ?)?>$", option)) {
        refuse(option, "is no option; expected <HelloMessage> or <HelloMessage verbatim>");
    }
    place = make_in<ap_directive_t>(cmd->pool);
    place->directive = "HelloMessage";
    place->filename = cmd->config_file->name;
    place->line_num = static_cast<int>(cmd->config_file->line_number);
    place->data = place;  // the text begins on the next line
    const std::vector<std::string> lines = read_block(cmd->config_file, cmd->temp_pool);
    const std::size_t indentation = common_indentation(lines);
    std::string quoted = "\"";
    for (const std::string& line : lines) {
        for (const char c : line.substr(std::min(line.find_first_not_of(" \t"), indentation))) {
            quoted += c == '"' || c == '\\' ? "\\" : "";
            quoted += c;
        }
    }
    quoted += *option == '>' ? "\"" : "\" verbatim";
    place->args = apr_pstrdup(cmd->pool, quoted.c_str());
}

void set_file(cmd_parms* cmd, Config& config, const Words& words)
{
    const char* const path = ap_server_root_relative(cmd->pool, words[0]);
    if (path == nullptr || *words[0] == '\0') {
        refuse(words[0], "is not a path; expected a file, absolute or relative to ServerRoot");
    }
    const bool verbatim = is_verbatim(words);
    File*& file = files[std::string(verbatim ? "verbatim " : "") + path];
    if (file == nullptr) {
        file = make_in<File>(cmd->pool, path, verbatim, cmd->directive, cmd->server);
        // At a restart there may be a version from before, and the children say what is wrong.
        if (ap_state_query(AP_SQ_CONFIG_GEN) <= 1) {
            file->make({}, file->load(file->look(cmd->temp_pool), cmd->temp_pool));
        }
    }
    config.message = nullptr;
    config.file = file;
}

/// How values are escaped in a media type.
Escape escape_of(apr_pool_t* pool, const char* type)
{
    const auto is = [pool, type](const std::string& essence) {
        return matches(pool, "^(" + essence + ")([; \t]|$)", type);
    };
    // By all names: https://mimesniff.spec.whatwg.org/#javascript-mime-type and RFC 6839.
    return is("[^; \t]*(json|(java|ecma|j|live)script)[^; \t]*") ? put_script
           : is("text/(event-stream|tab-separated-values|uri-list|calendar|(x-)?vcard|vtt|"
                "cache-manifest)|application/openmetrics-text")
               ? put_line
           : is("[^; \t]*csv|text/comma-separated-values") ? put_csv
           : is("text/plain") ? [](Answer& out, std::string_view value) { out += value; }
                              : put_html;
}

// RFC 9110, sections 5.6.2 and 5.6.6.
#define TOKEN "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
#define PARAMETER TOKEN "=(" TOKEN "|\"[ !#-\\[\\]-~]*\")"

void set_type(cmd_parms* cmd, Config& config, const Words& words)
{
    const char* const value = words[0];
    const auto has_form = [cmd, value](const std::string& allowed) {
        return matches(cmd->temp_pool, "^" TOKEN "/" TOKEN "([ \t]*;[ \t]*(" + allowed + "))*$",
                       value);
    };
    if (!has_form(PARAMETER)) {
        refuse(value,
               "is no media type; expected type/subtype, such as \"text/plain; charset=utf-8\"");
    }
    const Escape escape = escape_of(cmd->temp_pool, value);
    // In Shift_JIS a byte before it would take the backslash of an escape.
    if (escape == put_script && !has_form("charset=\"?utf-8\"?|(?!charset)" PARAMETER)) {
        refuse(value,
               "has a charset that no script can be escaped in; expected charset=utf-8, or none");
    }
    const char* const digest = ap_md5(cmd->pool, reinterpret_cast<const unsigned char*>(value));
    const bool is_default = std::strcmp(value, default_type.value) == 0;
    config.type = make_in<Type>(
        cmd->pool, value, escape,
        is_default ? nullptr : apr_psprintf(cmd->pool, "\"%.*s", int{tag_size}, digest));
}

void set_status(cmd_parms* cmd, Config& config, const Words& words)
{
    if (!matches(cmd->temp_pool, "^(20[0-4]|20[7-9]|2[1-9][0-9]|[45][0-9]{2}|drop)$", words[0])) {
        refuse(words[0],
               "is not a status that can be answered; expected 200 to 299 without 205 "
               "and 206, 400 to 599, such as 503, or drop");
    }
    const int code = std::atoi(words[0]);
    // As httpd has it, or would make it up: ap_get_status_line_ex, which 2.4.46 lacks.
    const char* const line = ap_get_status_line(code);
    config.status = make_in<Status>(
        cmd->pool, code,
        std::atoi(line) == code ? line : apr_psprintf(cmd->pool, "%d Status %d", code, code));
}

void set_methods(cmd_parms* cmd, Config& config, const Words& names)
{
    const auto has = [&names](std::string_view name) {
        return std::find(names.begin(), names.end(), name) != names.end();
    };
    const bool is_any = names.size() == 1 && has("any");
    auto* const listed = is_any ? nullptr : ap_make_method_list(cmd->pool, 4);
    auto* const methods = make_in<Methods>(cmd->pool, listed, "OPTIONS");
    config.methods = methods;
    for (const char* const name : is_any ? Words{} : names) {
        if (!matches(cmd->temp_pool, "^" TOKEN "$", name) || name == "any"sv || name == "TRACE"sv ||
            name == "CONNECT"sv) {
            refuse(name,
                   "is not a method that can be answered; expected names such as GET and "
                   "POST, or any alone; TRACE is httpd's own, and CONNECT a proxy's");
        }
        if (name == "HEAD"sv && !has("GET")) {
            refuse(name, "comes with GET; expected GET beside it");
        }
        ap_method_register(cmd->pool, name);
        ap_method_list_add(listed, name);
        if (name != "HEAD"sv && name != "OPTIONS"sv) {
            methods->allow = apr_pstrcat(cmd->pool, name, name == "GET"sv ? ", HEAD, " : ", ",
                                         methods->allow, nullptr);
        }
    }
}

void set_first(cmd_parms* cmd, Config& config, const Words& words)
{
    if (!matches(cmd->temp_pool, "^(on|off)$", words[0])) {
        refuse(words[0], "is neither On nor Off");
    }
    config.is_first = apr_cstr_casecmp(words[0], "on") == 0;
}

// --- The claim --------------------------------------------------------------
// A location with "SetHandler hello" has no file, so looking for one would only cost time and
// let DocumentRoot, mod_dir and mod_mime have a say. mod_proxy shows the way out: claim the URI
// when it is translated, then decline storage for it. Access control comes after both.

const core_dir_config& core_config(const request_rec* r)
{
    return *static_cast<const core_dir_config*>(ap_get_core_module_config(r->per_dir_config));
}

/// Whether SetHandler names this module, or a proxy that HelloFirst overrules. It takes an
/// expression, and any case: core_override_type in httpd's server/core.c.
bool is_selected(request_rec* r)
{
    const core_dir_config& core = core_config(r);
    const char* error = nullptr;
    const char* const name = core.expr_handler != nullptr
                                 ? ap_expr_str_exec(r, core.expr_handler, &error)
                                 : core.handler;
    // Of an error the core says so later.
    return error == nullptr && name != nullptr &&
           (apr_cstr_casecmp(name, "hello") == 0 ||
            (is_first(r) && apr_cstr_casecmpn(name, "proxy:", 6) == 0));
}

/// Finds the sections that are in force for the URI and the file name at hand.
int walk_sections(request_rec* r)
{
    r->per_dir_config = r->server->lookup_defaults;
    const int status = ap_location_walk(r);
    return status != OK ? status : ap_if_walk(r);
}

/// Hook translate_name: claims a URI whose location selects this module. Runs after mod_alias,
/// mod_rewrite and mod_proxy, so that a redirect wins.
int claim(request_rec* r)
{
    if (r->proxyreq != PROXYREQ_NONE || r->uri == nullptr || r->uri[0] != '/') {
        return DECLINED;
    }
    // Where mod_rewrite has put another URI there, the sections in force are the old one's.
    int status = r->uri != r->parsed_uri.path ? walk_sections(r) : OK;
    if (status == OK && core_config(r).sec_if != nullptr && is_selected(r) &&
        ap_core_translate(r) == OK) {
        // An <If> may have asked for the file, which has had no name until now.
        status = walk_sections(r);
    }
    if (status != OK || !is_selected(r)) {
        return status != OK ? status : DECLINED;
    }
    // Modules take for granted that there is a name, and log it.
    r->filename = apr_pstrcat(r->pool, "hello:", r->uri, nullptr);
    ap_set_module_config(r->request_config, &hello_module, r);
    return OK;
}

/// The same before those modules, where HelloFirst says so. A proxy with "mapping=encoded" has
/// taken the URI even before, which is undone. What is not claimed is left to them as it was.
int claim_first(request_rec* r)
{
    if (!is_first(r) || r->proxyreq == PROXYREQ_PROXY) {
        return DECLINED;
    }
    request_rec before = *r;
    r->proxyreq = PROXYREQ_NONE;
    const int status = claim(r);
    if (status == DECLINED) {
        before.log_id = r->log_id;
        *r = before;
    }
    return status;
}

/// Hooks map_to_storage and type_checker: what is claimed has no storage to walk and no
/// extension to read a type from.
int keep_claim(request_rec* r)
{
    return ap_get_module_config(r->request_config, &hello_module) != nullptr ? OK : DECLINED;
}

// --- The handler ------------------------------------------------------------
// Whoever gets here may have the answer. The request's own body is read and dropped before it.

// Of the threads that serve HTTP/2 in a child, so many may wait for bodies.
std::atomic<int> waiting = 0;
int most_waiting = 1;

/// Reads a body on a stream of HTTP/2 and drops it. ap_discard_request_body would leave it there,
/// and a client that is cut off while it sends may never read the answer. It is waited for as long
/// as data keeps coming, not for long, and by few: who sends none must not hold all threads.
int drop_stream_body(request_rec* r)
{
    constexpr std::uint32_t longest_wait = 2000;  // milliseconds in all
    constexpr std::uint32_t longest_pause = 500;  // and between two pieces
    apr_bucket_brigade* const brigade = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    const std::uint32_t begin = milliseconds_now();
    std::uint32_t last = begin;
    apr_status_t status = APR_SUCCESS;
    bool waits = false;
    bool ends = false;
    for (auto now = begin; !ends && now - begin < longest_wait && now - last < longest_pause;
         now = milliseconds_now()) {
        status = ap_get_brigade(r->input_filters, brigade, AP_MODE_READBYTES, APR_NONBLOCK_READ,
                                HUGE_STRING_LEN);
        if (APR_STATUS_IS_EAGAIN(status)) {
            ends = !std::exchange(waits, true) && ++waiting > most_waiting;
            apr_sleep(1000);  // microseconds; nothing tells of new data
        } else {
            last = now;
            ends = status != APR_SUCCESS ||
                   (!APR_BRIGADE_EMPTY(brigade) && APR_BUCKET_IS_EOS(APR_BRIGADE_LAST(brigade)));
            apr_brigade_cleanup(brigade);
        }
    }
    waiting -= waits ? 1 : 0;
    return status == APR_SUCCESS || APR_STATUS_IS_EAGAIN(status)
               ? OK
               : ap_map_http_request_error(status, HTTP_BAD_REQUEST);
}

/// Reads the request's body and drops it. Returns OK, or the status to answer with.
int drop_body(request_rec* r)
{
    if (r->main == nullptr && r->connection->master != nullptr) {
        return drop_stream_body(r);
    }
    // Without these there is none: RFC 9112, section 6.3. To find out by reading costs more.
    const bool has_body = apr_table_get(r->headers_in, "Content-Length") != nullptr ||
                          apr_table_get(r->headers_in, "Transfer-Encoding") != nullptr;
    return has_body ? ap_discard_request_body(r) : OK;
}

/// Sends a body, or none where it is null, as default_handler does in httpd's server/core.c.
int send_body(request_rec* r, apr_bucket* body)
{
    conn_rec* const c = r->connection;
    apr_bucket_brigade* const brigade = apr_brigade_create(r->pool, c->bucket_alloc);
    if (body != nullptr) {
        ap_set_content_length(r, static_cast<apr_off_t>(body->length));
        APR_BRIGADE_INSERT_TAIL(brigade, body);
        // mod_http2 copies each bucket as a whole, before the client takes any of it.
        for (constexpr apr_size_t most = 1U << 20U; body->length > most;
             body = APR_BUCKET_NEXT(body)) {
            apr_bucket_split(body, most);
        }
    }
    APR_BRIGADE_INSERT_TAIL(brigade, apr_bucket_eos_create(c->bucket_alloc));
    const apr_status_t passed = ap_pass_brigade(r->output_filters, brigade);
    apr_brigade_cleanup(brigade);
    return passed == APR_SUCCESS || r->status != HTTP_OK || c->aborted != 0 ? OK : AP_FILTER_ERROR;
}

/// What the conditions of the request come to: OK, or the status of an answer without a body.
/// For a body without a date httpd would take the time of the request: RFC 9110, section 13.1.3.
int condition_of(request_rec* r, const Message& message)
{
    if (message.version.mtime != 0 || r->no_local_copy != 0) {
        return ap_meets_conditions(r);
    }
    const bool is_get = r->method_number == M_GET;
    const bool is_known = ap_condition_if_none_match(r, r->headers_out) >= AP_CONDITION_WEAK;
    if (ap_condition_if_match(r, r->headers_out) == AP_CONDITION_NOMATCH || (is_known && !is_get)) {
        return HTTP_PRECONDITION_FAILED;
    }
    const bool is_part_wanted = ap_condition_if_range(r, r->headers_out) > AP_CONDITION_NONE;
    return is_known && !is_part_wanted ? HTTP_NOT_MODIFIED : OK;
}

const Type& type_of(const Config& config)
{
    return config.type != nullptr ? *config.type : default_type;
}

/// Two answers that differ in their type alone differ here too.
const char* etag_of(request_rec* r, const Message& message, const Type& type)
{
    if (type.tag == nullptr) {
        return message.etag;
    }
    char* const etag = static_cast<char*>(apr_palloc(r->pool, tag_size + etag_size + 1));
    std::memcpy(etag, type.tag, tag_size + 1);
    std::memcpy(etag + tag_size + 1, message.etag + 1, etag_size);  // and its zero
    return etag;
}

/// Says which version of a body this is; or, of one that was made for this request alone, that
/// nobody may keep it.
void put_validators(request_rec* r, const Message& message, const Type& type)
{
    if (message.etag == nullptr) {
        apr_table_setn(r->headers_out, "Cache-Control", "no-store");
        return;
    }
    apr_table_setn(r->headers_out, "ETag", etag_of(r, message, type));
    if (message.version.mtime != 0) {
        ap_update_mtime(r, message.version.mtime);
        apr_table_setn(r->headers_out, "Last-Modified", message.modified);
    }
}

/// Answers with the body that the configuration names.
int answer_body(request_rec* r, const Config& config, const Type& type)
{
    const Message* message = config.message != nullptr ? config.message : greeting;
    if (config.file != nullptr) {
        // The request holds its version until the last byte is sent, which may be after this.
        message = make_in<SharedMessage>(r->pool, config.file->current(r->pool))->get();
        if (message == nullptr) {
            return HTTP_INTERNAL_SERVER_ERROR;  // the log has said why
        }
    }
    const bool is_constant = message->etag != nullptr;
    const std::string_view bytes =
        is_constant ? message->bytes
                    : make_in<Answer>(r->pool, render(r, *message, type.escape))->bytes();
    put_validators(r, *message, type);
    if (!is_constant || r->method_number != M_GET) {
        ap_remove_output_filter_byhandle(r->output_filters, "BYTERANGE");
    }
    if (is_constant && r->status == HTTP_OK && r->method_number != M_OPTIONS) {
        ap_set_accept_ranges(r);
        if (const int condition = condition_of(r, *message); condition != OK) {
            r->status = condition;
            return send_body(r, nullptr);
        }
    }
    apr_bucket_alloc_t* const allocator = r->connection->bucket_alloc;
    // Immortal: the configuration outlives the request, so nobody need copy it.
    return send_body(r,
                     is_constant && config.file == nullptr
                         ? apr_bucket_immortal_create(bytes.data(), bytes.size(), allocator)
                         : apr_bucket_pool_create(bytes.data(), bytes.size(), r->pool, allocator));
}

/// Ends the connection, or the stream of HTTP/2, unanswered. In the log it is 444, as in nginx's.
int drop(request_rec* r)
{
    conn_rec* const c = r->connection;
    if (c->master != nullptr) {
        c->aborted = 1;  // of HTTP/2 this is the stream alone, which is reset
    }
    c->keepalive = AP_CONN_CLOSE;
    r->eos_sent = 1;  // so nobody sends one, which would bring a head along
    r->status = 444;
    return DONE;
}

/// Refuses a method. httpd names those that are answered, and TRACE where it answers that
/// itself; what it has set beside is lost on the way to an ErrorDocument.
int refuse_method(request_rec* r, const Methods* methods)
{
    ap_allow_standard_methods(r, REPLACE_ALLOW, M_GET, M_OPTIONS, -1);
    if (methods != nullptr && methods->listed != nullptr) {
        ap_copy_method_list(r->allowed_methods, methods->listed);
        ap_method_list_add(r->allowed_methods, "OPTIONS");
    }
    if (ap_send_http_options(r) == OK) {
        apr_table_setn(r->err_headers_out, "Allow", apr_table_get(r->headers_out, "Allow"));
    }
    return HTTP_METHOD_NOT_ALLOWED;
}

/// Whether a method gets the configured answer.
bool is_listed(const request_rec* r, const Methods* methods)
{
    if (methods == nullptr) {
        return r->method_number == M_GET;
    }
    return methods->listed == nullptr ? r->method_number != M_CONNECT  // a 2xx opens a tunnel
                                      : ap_method_in_list(methods->listed, r->method) != 0;
}

/// Answers a method that is listed, or any with an error.
int answer_listed(request_rec* r, const Config& config)
{
    // Without a configured one, an ErrorDocument keeps the status of the error.
    if (config.status != nullptr) {
        r->status = config.status->code;
        r->status_line = config.status->line;
        if (r->status == HTTP_NO_CONTENT) {
            return OK;
        }
    }
    const Type& type = type_of(config);
    ap_set_content_type_ex(r, type.value, 1);
    apr_table_setn(r->headers_out, "X-Content-Type-Options", "nosniff");
    return answer_body(r, config, type);
}

/// Hook handler: answers the methods that are listed, and OPTIONS, and refuses every other one
/// unless the configured status is an error anyway. Whatever decides on access has decided by now.
int answer(request_rec* r)
{
    if (r->handler == nullptr || std::strcmp(r->handler, "hello") != 0) {
        return DECLINED;
    }
    const Config& config = config_of(r);
    const int code = config.status != nullptr ? config.status->code : HTTP_OK;
    if (code == 0) {
        return drop(r);
    }
    const Methods* const methods = config.methods;
    const bool is_error = code >= 400;
    const bool is_answer = is_error || is_listed(r, methods);
    const bool is_allowed = is_answer || r->method_number == M_OPTIONS;
    // Who asks before it sends need not send what will be refused: RFC 9110, 10.1.1.
    if (r->expecting_100 == 0 || (is_allowed && !is_error)) {
        if (const int status = drop_body(r); status != OK) {
            return status;
        }
    }
    if (!is_allowed) {
        return refuse_method(r, methods);
    }
    // What mod_mime has found are the file's, where there is one.
    r->content_encoding = nullptr;
    r->content_languages = nullptr;
    if (is_answer) {
        return answer_listed(r, config);
    }
    ap_set_content_type_ex(r, type_of(config).value, 1);
    apr_table_setn(r->headers_out, "Allow",
                   methods != nullptr ? methods->allow : "GET, HEAD, OPTIONS");
    return OK;
}

/// The same before mod_proxy, where HelloFirst has claimed the URI from it.
int answer_first(request_rec* r)
{
    if (!is_first(r) || keep_claim(r) != OK) {
        return DECLINED;
    }
    r->handler = "hello";
    return answer(r);
}

// --- The start --------------------------------------------------------------
// What is prepared when httpd starts or restarts, in the parent and then in each child.

/// What children share of a file, from before a restart or new; null where there is no room.
Shared* shared_of(const File& file, const char* name, apr_hash_t* kept, apr_pool_t* process_pool)
{
    auto* shm = static_cast<apr_shm_t*>(apr_hash_get(kept, name, APR_HASH_KEY_STRING));
    if (shm == nullptr) {
        // Of all its room only what is written becomes memory.
        const apr_size_t size = sizeof(Shared) + 2 * file.most();
        const apr_status_t status = apr_shm_create(&shm, size, nullptr, process_pool);
        if (status != APR_SUCCESS) {
            ap_log_error(APLOG_MARK, APLOG_ERR, status, file.server,
                         "%s is answered with 500: no memory that children share", file.path);
            return nullptr;
        }
        new (apr_shm_baseaddr_get(shm)) Shared();
        apr_hash_set(kept, apr_pstrdup(process_pool, name), APR_HASH_KEY_STRING, shm);
    }
    return static_cast<Shared*>(apr_shm_baseaddr_get(shm));
}

/// Gives each file what its children share, the same over restarts, and frees what is not named.
void share_files(apr_pool_t* process_pool, apr_pool_t* pool)
{
    constexpr auto key = "mod_hello, layout 2";  // another one where Shared changes
    void* data = nullptr;
    apr_pool_userdata_get(&data, key, process_pool);
    auto* const kept =
        data != nullptr ? static_cast<apr_hash_t*>(data) : apr_hash_make(process_pool);
    apr_pool_userdata_set(kept, key, nullptr, process_pool);
    bool is_new = false;
    for (const auto& [name, file] : files) {
        file->shared = shared_of(*file, name.c_str(), kept, process_pool);
        if (file->shared != nullptr) {
            file->shared->said = stamp(0, milliseconds_now() - second);  // a restart says it anew
            const std::uint64_t mark = mark_of(file->look(pool));
            const std::uint64_t taken = file->shared->versions[file->shared->newest % 2].mark;
            is_new = (!file->is_whole(mark) && mark != taken) || is_new;
        }
    }
    for (auto* at = apr_hash_first(nullptr, kept); at != nullptr; at = apr_hash_next(at)) {
        const auto* const name = static_cast<const char*>(apr_hash_this_key(at));
        if (!files.contains(name)) {
            apr_shm_destroy(static_cast<apr_shm_t*>(apr_hash_this_val(at)));
            apr_hash_set(kept, name, APR_HASH_KEY_STRING, nullptr);
        }
    }
    // So that the children find it whole when they begin.
    if (is_new && ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_CONFIG) {
        apr_sleep(quiet * apr_time_t{1000});
    }
}

/// Hook post_config, in the parent. What it cannot do is logged, and stops httpd.
int prepare(apr_pool_t* pconf, apr_pool_t* /*plog*/, apr_pool_t* ptemp, server_rec* main) noexcept
try {
    greeting = make_in<Message>(pconf, constant(pconf, "Hello World!"));
    // Only mod_http2 knows its threads, if it is there.
    if (const auto ask = APR_RETRIEVE_OPTIONAL_FN(http2_get_num_workers); ask != nullptr) {
        int workers[2] = {};  // the least and the most
        ask(main, &workers[0], &workers[1]);
        most_waiting = std::max(1, std::min(workers[0], workers[1]) / 4);
    }
    share_files(main->process->pool, ptemp);
    return OK;
} catch (const std::exception& error) {
    ap_log_error(APLOG_MARK, APLOG_CRIT, 0, main, "mod_hello cannot start: %s", error.what());
    return HTTP_INTERNAL_SERVER_ERROR;
}

/// Hook child_init: looks at the files, unless only a request gives up what root may read.
void begin_child(apr_pool_t* pchild, server_rec* /*main*/) noexcept
{
    const bool is_mighty = geteuid() == 0 || ap_find_linked_module("mpm_itk.c") != nullptr ||
                           ap_find_linked_module("mod_ruid2.c") != nullptr;
    for (const auto& [name, file] : files) {
        if (!is_mighty) {
            file->current(pchild);
        }
    }
}

// --- The guard --------------------------------------------------------------
// An exception that reaches C ends the process, and every other request in it. Each function
// that httpd calls and that could throw is called through here.

/// Calls a hook of a request. What it throws is logged, and the client learns of an error (500).
template <int (*Hook)(request_rec*)>
int guarded(request_rec* r) noexcept
{
    const char* problem = "unknown exception";
    try {
        return Hook(r);
    } catch (const std::exception& error) {
        problem = apr_pstrdup(r->pool, error.what());
    } catch (...) {  // another module's
    }
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "%s %s failed: %s", r->method, r->uri, problem);
    return HTTP_INTERNAL_SERVER_ERROR;
}

/// Calls a directive's setter with its words, so many at most. What it throws stops httpd.
template <typename Target, void (*Setter)(cmd_parms*, Target&, const Words&), std::size_t most>
const char* guarded(cmd_parms* cmd, void* target, const char* line) noexcept
try {
    // AllowOverrideList would let them into a .htaccess file all the same.
    if (const char* const error = ap_check_cmd_context(cmd, NOT_IN_HTACCESS); error != nullptr) {
        return error;
    }
    Words words;
    while (*line != '\0') {
        words.push_back(ap_getword_conf(cmd->pool, &line));
    }
    if (words.empty() || words.size() > most) {
        throw std::runtime_error(std::string("expected ") + cmd->cmd->errmsg);
    }
    Setter(cmd, *static_cast<Target*>(target), words);
    return nullptr;
} catch (const std::exception& error) {
    return apr_pstrcat(cmd->pool, cmd->cmd->name, ": ", error.what(), nullptr);
}

// --- Registration -----------------------------------------------------------
// No .htaccess: whoever may write one need not be whoever may answer for the site.
constexpr int in_config_files = RSRC_CONF | ACCESS_CONF;

const command_rec directives[] = {
    AP_INIT_RAW_ARGS("HelloMessage", (guarded<Config, set_message, 2>), nullptr, in_config_files,
                     "the body of the answer, with expressions in %{...}, or verbatim after it"),
    AP_INIT_RAW_ARGS("<HelloMessage", (guarded<ap_directive_t*, set_block, 2>), nullptr,
                     in_config_files | EXEC_ON_READ,
                     "the same on lines of its own, up to </HelloMessage>"),
    AP_INIT_RAW_ARGS("HelloFile", (guarded<Config, set_file, 2>), nullptr, in_config_files,
                     "a file with the body, of 1 MiB at most, or of 16 MiB with verbatim after it"),
    AP_INIT_RAW_ARGS("HelloType", (guarded<Config, set_type, 1>), nullptr, in_config_files,
                     "the media type of the answer, with its parameters"),
    AP_INIT_RAW_ARGS("HelloStatus", (guarded<Config, set_status, 1>), nullptr, in_config_files,
                     "the status of the answer: 200 to 204, 207 to 299, 400 to 599, or drop"),
    AP_INIT_RAW_ARGS("HelloMethods", (guarded<Config, set_methods, 64>), nullptr, in_config_files,
                     "the methods that are answered, or any"),
    AP_INIT_RAW_ARGS("HelloFirst", (guarded<Config, set_first, 1>), nullptr, ACCESS_CONF,
                     "On, to claim the URI before other modules map it, or Off"),
    {},
};

void* create_config(apr_pool_t* pool, char* /*section*/) noexcept
{
    return make_in<Config>(pool);
}

void* merge_config(apr_pool_t* pool, void* outer, void* inner) noexcept
{
    return make_in<Config>(
        pool, merge(*static_cast<const Config*>(outer), *static_cast<const Config*>(inner)));
}

void register_hooks(apr_pool_t* /*pconf*/) noexcept
{
    files.clear();  // httpd may not have unloaded the module before it loads it anew
    ap_hook_post_config(prepare, nullptr, nullptr, APR_HOOK_MIDDLE);
    ap_hook_child_init(begin_child, nullptr, nullptr, APR_HOOK_MIDDLE);
    ap_hook_translate_name(guarded<claim_first>, nullptr, nullptr, APR_HOOK_REALLY_FIRST);
    ap_hook_translate_name(guarded<claim>, nullptr, nullptr, APR_HOOK_LAST);
    ap_hook_map_to_storage(guarded<keep_claim>, nullptr, nullptr, APR_HOOK_LAST);
    ap_hook_type_checker(guarded<keep_claim>, nullptr, nullptr, APR_HOOK_FIRST);
    ap_hook_handler(guarded<answer_first>, nullptr, nullptr, APR_HOOK_REALLY_FIRST);
    ap_hook_handler(guarded<answer>, nullptr, nullptr, APR_HOOK_MIDDLE);
}

}  // namespace

module_struct hello_module = {
    STANDARD20_MODULE_STUFF,
    create_config,
    merge_config,
    nullptr,  // create a server's configuration
    nullptr,  // merge servers' configurations
    directives,
    register_hooks,
#ifdef AP_MODULE_FLAG_NONE  // since httpd 2.4.33
    AP_MODULE_FLAG_NONE,
#endif
};
