// mod_hello - an Apache httpd content handler that answers a location from the
// configuration.
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
// filters. Such a location is virtual, as one of mod_proxy's is: there is no file
// behind it.
//
// The parts, in the order of this file: the configuration, the message and its
// expressions, the values in the answer, the file that holds a message and what children
// share of it, the directives, the claim of a location, the handler, the start, the guard
// between C++ and C, and the registration with httpd.

// httpd declares directive setters with their signatures only where designated
// initializers exist. ap_config.h grants them to C alone, and C++20 has them too.
#define AP_HAVE_DESIGNATED_INITIALIZER

#include <httpd.h>

#include <ap_expr.h>
#include <ap_mpm.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mod_core.h>
#include <util_filter.h>
#include <util_md5.h>

#include <apr_buckets.h>
#include <apr_cstr.h>
#include <apr_file_info.h>
#include <apr_file_io.h>
#include <apr_md5.h>
#include <apr_optional.h>
#include <apr_pools.h>
#include <apr_shm.h>
#include <apr_strings.h>
#include <apr_tables.h>
#include <apr_thread_proc.h>
#include <apr_time.h>
#include <apr_user.h>
#if APR_HAVE_UNISTD_H
#include <unistd.h>  // getpid, geteuid
#endif

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

// httpd finds a module by the name of its record, which the hidden default of the
// build would take from it.
extern "C" {
[[gnu::visibility("default")]] extern module hello_module;
}
APLOG_USE_MODULE(hello);
APR_DECLARE_OPTIONAL_FN(void, http2_get_num_workers, (server_rec*, int*, int*));

namespace {

using namespace std::string_view_literals;

constexpr auto handler_name = "hello";

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
const char* copy_in(apr_pool_t* pool, std::string_view text)
{
    return apr_pstrmemdup(pool, text.data(), text.size());
}

/// By a clock that is the same in all processes and never goes back. What counts is the
/// difference of two, which is right for 49 days.
std::uint32_t milliseconds_now()
{
    using std::chrono::milliseconds;
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<std::uint32_t>(std::chrono::duration_cast<milliseconds>(now).count());
}

// ---------------------------------------------------------------------------
// The configuration
//
// What the directives of one section have set. A field that is null was not set there.

/// How a value becomes part of an answer.
enum class Escape { html, script, csv, line, none };

struct Type {
    const char* value;  // Content-Type
    Escape escape;
    std::string_view tag;  // its part in the ETag
};

struct Status {
    int code;
    const char* line;  // code and reason, as the status line has them
};

struct Message;
struct File;

struct Config {
    const Message* message = nullptr;  // of this and file, one at most is there
    File* file = nullptr;
    const Type* type = nullptr;
    const Status* status = nullptr;
};

/// What holds where a section lies within another: the nearest wins, field by field.
Config merge(const Config& outer, const Config& inner)
{
    // Every field is named here, so that one more does not compile until it is merged.
    const auto& [message, file, type, status] = inner;
    const bool has_body = message != nullptr || file != nullptr;
    return {
        .message = has_body ? message : outer.message,
        .file = has_body ? file : outer.file,
        .type = type != nullptr ? type : outer.type,
        .status = status != nullptr ? status : outer.status,
    };
}

constexpr Type default_type{.value = "text/html; charset=utf-8", .escape = Escape::html, .tag = ""};

// The body where no directive sets one. Written by the hook post_config, before there is
// a second thread.
const Message* greeting = nullptr;

// ---------------------------------------------------------------------------
// The message
//
// A body is literal text and expressions of httpd's own parser, ap_expr, in turn. All
// that can be done before a request comes is done here.

/// Literal text, and the expression that follows it, if any.
struct Piece {
    std::string_view text;
    const ap_expr_info_t* expression;
    const char* origin;  // where the expression stands, and its text
};

/// Lives in a pool, with everything that it points to.
struct Message {
    std::span<const Piece> pieces{};
    std::size_t text_size = 0;   // of all literal text
    std::string_view bytes{};    // the body, where there is no expression
    const char* etag = nullptr;  // strong: RFC 9110, section 8.8.1
    apr_time_t mtime = 0;        // of a file
    std::uint64_t mark = 0;      // of a file's version
    bool is_constant() const { return etag != nullptr; }
};

constexpr std::size_t etag_size = std::size_t{2} * APR_MD5_DIGESTSIZE + sizeof R"("")";

/// A message without an expression. The bytes are not copied.
Message constant(apr_pool_t* pool, std::string_view bytes) noexcept
{
    const auto* const data = reinterpret_cast<const unsigned char*>(bytes.data());
    const char* const digest = ap_md5_binary(pool, data, static_cast<int>(bytes.size()));
    return {.bytes = bytes, .etag = apr_pstrcat(pool, "\"", digest, "\"", nullptr)};
}

/// Whose text is parsed: a directive, and the file that it names, if it names one.
struct Origin {
    const char* directive;
    const char* config;  // the configuration file
    int line;
    const char* file = nullptr;
};

/// The length of the expression that text starts with, from "%{" to its "}", with those
/// within it. A backslash takes the next character with it: server/util_expr_scan.l of
/// httpd. Returns 0 where there is no end.
std::size_t expression_length(std::string_view text)
{
    int depth = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '\\') {
            ++at;
        } else if (text.substr(at, 2) == "%{") {
            ++depth;
        } else if (text[at] == '}' && --depth == 0) {
            return at + 1;
        }
    }
    return 0;
}

/// Why an expression must not reach httpd's scanner, which ends the process at a quote in
/// an argument; null where it may.
const char* unscannable(std::string_view text)
{
    if (text.find('\0') != std::string_view::npos) {
        return "it holds a zero byte";
    }
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '\\') {
            ++at;
        } else if (text[at] == '"' || text[at] == '\'') {
            return "a quote in it needs a backslash before it (in a directive between double "
                   "quotes: \\\\\\\")";
        }
    }
    return nullptr;
}

/// Parses one expression. Throws what is wrong with it, and where.
Piece parse_expression(apr_pool_t* pool, std::string_view text, const Origin& origin, int line)
{
    const char* const source = copy_in(pool, text);
    const char* const place =
        origin.file == nullptr ? "" : apr_psprintf(pool, "%s:%d: ", origin.file, line);
    auto* const expression = make_in<ap_expr_info_t>(pool);
    expression->filename = origin.file == nullptr ? origin.config : origin.file;
    expression->line_number = static_cast<unsigned>(line);
    expression->flags = AP_EXPR_FLAG_STRING_RESULT;
    if (origin.file != nullptr) {
        // Whoever may write the file need not be whoever may read all that httpd can.
        expression->flags |= AP_EXPR_FLAG_RESTRICTED;
    }
    expression->module_index = APLOG_MODULE_INDEX;
    const char* error = unscannable(text);
    if (error == nullptr) {
        error = ap_expr_parse(pool, pool, expression, source, nullptr);
    }
    if (error != nullptr) {
        throw std::runtime_error(
            std::string(place) + "bad expression \"" + source + "\": " + error +
            "; expected a variable or a function of httpd's expressions whose "
            "module is loaded, such as %{REMOTE_ADDR}" +
            (origin.file == nullptr ? ""
                                    : ", but none that reads a file, as file and filesize do") +
            "; \\%{ stands for a literal %{");
    }
    return {.text = {},
            .expression = expression,
            .origin = apr_psprintf(pool, "%s at %s:%d: %s%s", origin.directive, origin.config,
                                   origin.line, place, source)};
}

/// The beginning of a text, for a message to a person.
std::string shown(std::string_view text)
{
    constexpr std::size_t enough = 60;
    return '"' + std::string(text.substr(0, enough)) + (text.size() > enough ? "...\"" : "\"");
}

/// Parses a body. Throws what is wrong with it.
Message parse(apr_pool_t* pool, std::string_view text, const Origin& origin)
{
    std::vector<Piece> pieces;
    std::string literal;
    std::size_t text_size = 0;
    int line = origin.file == nullptr ? origin.line : 1;
    const auto end_piece = [&](Piece piece) {
        piece.text = {copy_in(pool, literal), literal.size()};
        pieces.push_back(piece);
        text_size += literal.size();
        literal.clear();
    };
    for (;;) {
        const std::size_t at = text.find("%{");
        if (at == std::string_view::npos) {
            literal += text;
            break;
        }
        const bool is_escaped = at > 0 && text[at - 1] == '\\';
        const std::string_view before = text.substr(0, is_escaped ? at - 1 : at);
        literal += before;
        if (origin.file != nullptr) {
            line += static_cast<int>(std::count(before.begin(), before.end(), '\n'));
        }
        text.remove_prefix(at);
        if (is_escaped) {
            literal += "%{";
            text.remove_prefix(2);
            continue;
        }
        const std::size_t length = expression_length(text);
        if (length == 0) {
            throw std::runtime_error(
                (origin.file == nullptr ? "" : origin.file + (":" + std::to_string(line)) + ": ") +
                shown(text) + " has no closing brace; expected %{...}, or \\%{ for a literal %{");
        }
        end_piece(parse_expression(pool, text.substr(0, length), origin, line));
        text.remove_prefix(length);
    }
    if (pieces.empty()) {
        return constant(pool, {copy_in(pool, literal), literal.size()});
    }
    end_piece({});
    auto* const copies = static_cast<Piece*>(apr_palloc(pool, pieces.size() * sizeof(Piece)));
    std::uninitialized_copy(pieces.begin(), pieces.end(), copies);
    return {.pieces = {copies, pieces.size()}, .text_size = text_size};
}

// ---------------------------------------------------------------------------
// Values in the answer
//
// Whatever an expression brings may come from a client. It is escaped for the type that
// it lands in, so that it stays a value there.

// No byte becomes more than this: &#xFFFD; is the longest.
constexpr std::size_t longest_escape = 8;

char* put(char* out, std::string_view text)
{
    return std::copy(text.begin(), text.end(), out);
}

/// HTML text, safe in element content and in an attribute in quotes of either kind. A
/// control character has no place there, and ESC would switch the character set where the
/// type names none.
char* put_html(char* out, std::string_view value)
{
    for (const char c : value) {
        const bool is_control =
            static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\n' && c != '\r';
        const auto escaped = c == '&'     ? "&amp;"sv
                             : c == '<'   ? "&lt;"sv
                             : c == '>'   ? "&gt;"sv
                             : c == '"'   ? "&quot;"sv
                             : c == '\''  ? "&#39;"sv
                             : is_control ? "&#xFFFD;"sv
                                          : ""sv;
        if (escaped.empty()) {
            *out++ = c;
        } else {
            out = put(out, escaped);
        }
    }
    return out;
}

struct Sequence {
    std::size_t length;
    char32_t code;
};

/// The UTF-8 sequence that text starts with, or the part of one that a single U+FFFD
/// replaces: The Unicode Standard, table 3-7 and "Substitution of Maximal Subparts".
Sequence utf8_sequence(std::string_view text)
{
    constexpr char32_t replacement = 0xFFFD;
    const auto byte = [text](std::size_t at) {
        return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U;
    };
    const unsigned lead = byte(0);
    if (lead < 0x80) {
        return {.length = 1, .code = lead};
    }
    if (lead < 0xC2 || lead > 0xF4) {
        return {.length = 1, .code = replacement};
    }
    const std::size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    // The second byte rules out over-long forms, surrogates, and what lies past U+10FFFF.
    unsigned lowest = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    unsigned highest = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    char32_t code = lead & (0x7FU >> length);
    for (std::size_t at = 1; at < length; ++at) {
        if (byte(at) < lowest || byte(at) > highest) {
            return {.length = at, .code = replacement};
        }
        code = code << 6U | (byte(at) & 0x3FU);
        lowest = 0x80;
        highest = 0xBF;
    }
    return {.length = length, .code = code};
}

/// The content of a string of JSON (RFC 8259, section 7) or JavaScript, in ASCII whatever
/// comes in: safe between quotes of any kind, and inside of <script>.
char* put_script(char* out, std::string_view value)
{
    const auto put_unit = [&out](char32_t unit) {
        constexpr auto digits = "0123456789abcdef"sv;
        out = put(out, "\\u");
        for (const unsigned shift : {12U, 8U, 4U, 0U}) {
            *out++ = digits[unit >> shift & 0xFU];
        }
    };
    while (!value.empty()) {
        const auto [length, code] = utf8_sequence(value);
        if (code > 0xFFFF) {
            put_unit(0xD7C0 + (code >> 10U));  // the surrogates
            put_unit(0xDC00 + (code & 0x3FFU));
        } else if (code < 0x20 || code > 0x7E ||
                   R"("\'`$<>&)"sv.find(value.front()) != std::string_view::npos) {
            put_unit(code);
        } else {
            *out++ = value.front();
        }
        value.remove_prefix(length);
    }
    return out;
}

/// A part of one line: control characters, and so line ends, become spaces. In a field of
/// CSV a quote is doubled: RFC 4180, section 2.
char* put_line(char* out, std::string_view value, bool is_csv)
{
    for (const char c : value) {
        *out++ = static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? ' ' : c;
        if (is_csv && c == '"') {
            *out++ = c;
        }
    }
    return out;
}

char* put_value(char* out, std::string_view value, Escape escape)
{
    return escape == Escape::html     ? put_html(out, value)
           : escape == Escape::script ? put_script(out, value)
           : escape == Escape::none   ? put(out, value)
                                      : put_line(out, value, escape == Escape::csv);
}

/// Evaluates a body for a request. The result lives as long as the request.
/// Throws why an expression has no value, and where it stands.
std::string_view render(request_rec* r, const Message& message, Escape escape)
{
    std::size_t size = message.text_size;
    const std::size_t count = message.pieces.size();
    auto* const values =
        static_cast<std::string_view*>(apr_palloc(r->pool, count * sizeof(std::string_view)));
    for (std::size_t i = 0; i < count; ++i) {
        const Piece& piece = message.pieces[i];
        const char* error = nullptr;
        const char* value = "";
        if (piece.expression != nullptr) {
            value = ap_expr_str_exec(r, piece.expression, &error);
        }
        if (error != nullptr) {
            throw std::runtime_error(std::string(piece.origin) + ": " + error);
        }
        new (&values[i]) std::string_view(value);
        size += values[i].size() * longest_escape;
    }

    char* const begin = static_cast<char*>(apr_palloc(r->pool, size));
    char* out = begin;
    for (std::size_t i = 0; i < count; ++i) {
        out = put_value(put(out, message.pieces[i].text), values[i], escape);
    }
    return {begin, static_cast<std::size_t>(out - begin)};
}

// ---------------------------------------------------------------------------
// What children share
//
// The newest good version of a file, in memory that outlives restarts. Nobody waits here,
// and whoever is stopped or killed leaves the newest version whole: only who has claimed a
// slot writes there. What is shared holds no pointer, since the parent, which is root, would
// follow what any child can write.

constexpr std::size_t largest_file = 1'048'576;  // bytes: 1 MiB

struct Shared {
    struct Slot {
        std::atomic<pid_t> writer;  // or 0
        std::uint64_t mark;
        apr_time_t mtime;
        std::size_t size;
        char text[largest_file];
    };
    static constexpr std::uint64_t slot_count = 4;

    std::atomic<std::uint64_t> newest;         // counts versions from 1; modulo slots: its slot
    std::atomic<std::uint64_t> seen;           // what was found last, and since when: see is_whole
    std::atomic<std::uint64_t> complaint;      // the version that was complained of last, or 0
    std::atomic<std::uint32_t> complained_at;  // milliseconds
    Slot slots[slot_count];

    static_assert(decltype(newest)::is_always_lock_free, "processes share it");

    bool has(std::uint64_t mark) const { return slots[newest % slot_count].mark == mark; }
    void publish(std::uint64_t before, std::uint64_t mark, apr_time_t mtime, std::string_view text);
};

/// Makes this the newest version, unless another one has come after the one before.
void Shared::publish(std::uint64_t before, std::uint64_t mark, apr_time_t mtime,
                     std::string_view text)
{
    for (std::uint64_t number = before + 1; number < before + slot_count; ++number) {
        Slot& slot = slots[number % slot_count];
        apr_proc_t writer{};
        writer.pid = slot.writer;
        const bool is_free = writer.pid == 0 ||
                             std::error_code(apr_proc_kill(&writer, 0), std::generic_category()) ==
                                 std::errc::no_such_process;
        if (!is_free || !slot.writer.compare_exchange_strong(writer.pid, getpid())) {
            continue;
        }
        if (newest == before) {  // else this slot may be the newest's by now
            std::atomic_thread_fence(std::memory_order_release);
            slot.mark = mark;
            slot.mtime = mtime;
            slot.size = text.size();
            put(slot.text, text);
            newest.compare_exchange_strong(before, number);
        }
        slot.writer = 0;
        return;
    }
}

/// What the parent keeps of it, in the pool of the process: no pointer to this module's code,
/// which a restart loads anew.
struct Kept {
    const char* path = nullptr;
    apr_pool_t* pool = nullptr;  // that all of it is in
    Shared* shared = nullptr;
    Kept* next = nullptr;
};

/// Throws why there is no memory to share.
Kept* make_kept(apr_pool_t* process_pool, const char* path)
{
    apr_pool_t* pool = nullptr;
    apr_shm_t* memory = nullptr;
    apr_pool_create(&pool, process_pool);
    // Of all its room only what is written becomes memory.
    const apr_status_t status = apr_shm_create(&memory, sizeof(Shared), nullptr, pool);
    if (status != APR_SUCCESS) {
        apr_pool_destroy(pool);
        throw std::system_error(status, std::generic_category(), "memory that children share");
    }
    auto* const shared = new (apr_shm_baseaddr_get(memory)) Shared;
    shared->slots[0].mark = 0;  // there is no version yet
    return make_in<Kept>(pool, apr_pstrdup(pool, path), pool, shared, nullptr);
}

// ---------------------------------------------------------------------------
// The file
//
// A body in a file is read by the children, as the user that they have changed to, so what
// only root can read is never served. All of them give the same version, whatever becomes
// of the file. No request waits for a writer, or for another process.

constexpr std::uint32_t quiet = 100;    // milliseconds that a whole file was left alone
constexpr std::uint32_t second = 1000;  // milliseconds
constexpr apr_int32_t looked_for = APR_FINFO_MIN | APR_FINFO_IDENT;

/// What lies at a path; all zero where it is nothing.
apr_finfo_t look(const char* path, apr_pool_t* pool)
{
    apr_finfo_t found{};
    return apr_stat(&found, path, looked_for, pool) == APR_SUCCESS ? found : apr_finfo_t{};
}

/// A number for what tells one version of a file from another.
std::uint64_t mark_of(const apr_finfo_t& found)
{
    const auto number = [](auto field) { return static_cast<std::uint64_t>(field); };
    // An mtime can be put back, and then the ctime tells.
    const std::uint64_t fields[] = {number(found.device), number(found.inode), number(found.size),
                                    number(found.mtime), number(found.ctime)};
    const std::string_view bytes(reinterpret_cast<const char*>(fields), sizeof fields);
    return std::hash<std::string_view>{}(bytes) | 1U;
}

/// Reads what was found, or nothing where it is another version by now. Throws why it
/// cannot be a body.
std::optional<std::string> read_body(const char* path, const apr_finfo_t& found, apr_pool_t* pool)
{
    const std::string name = std::string("\"") + path + '"';
    const auto check = [&name](apr_status_t status) {
        if (status != APR_SUCCESS) {
            throw std::system_error(status, std::generic_category(),
                                    name + " cannot be read, expected a file that holds the body");
        }
    };
    const auto size = static_cast<std::size_t>(found.size);
    if (found.filetype != APR_NOFILE && found.filetype != APR_REG) {
        throw std::runtime_error(name + " is not a regular file; expected one that holds the body");
    }
    if (found.filetype == APR_REG && size == 0) {
        throw std::runtime_error(name + " is empty; expected the body");
    }
    if (size > largest_file) {
        throw std::runtime_error(name + " has " + std::to_string(size) +
                                 " bytes; expected 1 MiB (1048576 bytes) at most");
    }
    apr_file_t* file = nullptr;
    // Where somebody has just put a pipe, opening must not wait for a writer.
    check(apr_file_open(&file, path, APR_FOPEN_READ | APR_FOPEN_NONBLOCK, APR_OS_DEFAULT, pool));
    const std::unique_ptr<apr_file_t, decltype(&apr_file_close)> closes(file, apr_file_close);
    std::string text(size, '\0');
    const apr_status_t status = apr_file_read_full(file, text.data(), size, nullptr);
    apr_finfo_t info{};
    check(apr_file_info_get(&info, looked_for, file));
    if (mark_of(info) != mark_of(found)) {
        return std::nullopt;
    }
    if (APR_STATUS_IS_EOF(status)) {
        throw std::runtime_error(name + " ends before its size; expected a plain file");
    }
    check(status);
    return text;
}

using SharedMessage = std::shared_ptr<const Message>;
std::vector<File*> files;  // that the configuration names, each once

/// A file that HelloFile names. The threads of a child share it.
struct File {
    const char* path;
    Origin origin;
    server_rec* server;
    Shared* shared = nullptr;
    std::mutex mutex{};            // guards what follows
    std::uint64_t number = 0;      // of the newest version that was taken
    SharedMessage message{};       // the newest good one
    std::uint64_t refused = 0;     // the version that is known to be bad
    std::uint32_t refused_at = 0;  // and since when: in milliseconds
    ~File() { std::erase(files, this); }
    SharedMessage make(std::uint64_t mark, apr_time_t mtime, std::string_view text) const;
    SharedMessage current(apr_pool_t* pool);
    bool is_whole(std::uint64_t mark) const;
    void load(const apr_finfo_t& found, apr_pool_t* pool);
    void take_newest();
    void complain(std::uint64_t mark, const char* reason, apr_pool_t* pool) const;
};

/// Makes a version, in a pool of its own: versions come and go in any thread. Throws what is
/// wrong with the text.
SharedMessage File::make(std::uint64_t mark, apr_time_t mtime, std::string_view text) const
{
    apr_pool_t* pool = nullptr;
    apr_pool_create_unmanaged_ex(&pool, nullptr, nullptr);
    const std::shared_ptr<apr_pool_t> owner(pool, apr_pool_destroy);
    auto* const made = make_in<Message>(pool, parse(pool, text, origin));
    made->mark = mark;
    made->mtime = mtime;
    return {owner, made};
}

/// Takes the newest version that any child has found.
void File::take_newest()
{
    for (std::uint64_t newest = shared->newest; newest != number; newest = shared->newest) {
        const Shared::Slot& slot = shared->slots[newest % Shared::slot_count];
        const std::uint64_t mark = slot.mark;
        const apr_time_t mtime = slot.mtime;
        const std::string text(slot.text, std::min(slot.size, largest_file));
        std::atomic_thread_fence(std::memory_order_acquire);
        if (newest != shared->newest) {
            continue;  // somebody may have written there meanwhile
        }
        number = newest;
        try {
            message = make(mark, mtime, text);
        } catch (const std::runtime_error&) {
            // Its expressions are another configuration's.
        }
    }
}

/// Whether a version is whole: somebody has seen it for long enough. Its dates tell nothing,
/// since a file server's clock may be wrong.
bool File::is_whole(std::uint64_t mark) const
{
    // Half of the mark and a time in one, so that no two processes mix theirs.
    const std::uint64_t now = mark << 32U | milliseconds_now();
    const std::uint64_t seen = shared->seen;
    if (now >> 32U != seen >> 32U) {
        shared->seen = now;
        return false;
    }
    return static_cast<std::uint32_t>(now - seen) >= quiet;
}

/// Says what is wrong with a version: once for all children, and not more than once a second.
void File::complain(std::uint64_t mark, const char* reason, apr_pool_t* pool) const
{
    const std::uint32_t now = milliseconds_now();
    std::uint32_t last = shared->complained_at;
    if (mark != shared->complaint && now - last >= second &&
        shared->complained_at.compare_exchange_strong(last, now)) {
        shared->complaint = mark;
        char* user = nullptr;
        apr_uid_name_get(&user, geteuid(), pool);
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, server, "%s at %s:%d: %s (as %s); %s",
                     origin.directive, origin.config, origin.line, reason,
                     user != nullptr ? user : "a user without a name",
                     message != nullptr ? "the last good version goes on being served"
                                        : "there is no good version, so the answer is 500");
    }
}

/// Reads what was found, and gives it to all children. Where it cannot be served, complains,
/// and leaves it alone for a second: some causes pass, such as too many open files.
void File::load(const apr_finfo_t& found, apr_pool_t* pool)
{
    const std::uint64_t mark = mark_of(found);
    try {
        if (const auto text = read_body(path, found, pool)) {
            make(mark, found.mtime, *text);
            shared->publish(number, mark, found.mtime, *text);
            shared->complaint = 0;
        }
    } catch (const std::exception& error) {
        refused = mark;
        refused_at = milliseconds_now();
        complain(mark, error.what(), pool);
    }
}

/// The version to answer a request with; null where there never was a good one. Takes what
/// has changed.
SharedMessage File::current(apr_pool_t* pool)
{
    if (shared == nullptr) {
        return nullptr;
    }
    const apr_finfo_t found = look(path, pool);
    const std::uint64_t mark = mark_of(found);
    const std::lock_guard lock(mutex);
    take_newest();
    const bool is_refused = refused == mark && milliseconds_now() - refused_at < second;
    if (message != nullptr && message->mark == mark) {
        if (shared->complaint != 0) {
            shared->complaint = 0;
        }
    } else if (!is_refused && is_whole(mark)) {
        load(found, pool);
        take_newest();
    } else if (!is_refused && message == nullptr) {
        complain(mark, "the file has just changed, and may not be whole yet", pool);
    }
    return message;
}

// ---------------------------------------------------------------------------
// The directives
//
// Each setter takes the value, or throws what is wrong with it. httpd adds the file and
// the line, and the guard the directive's name.

Origin origin_of(const cmd_parms* cmd)
{
    return {.directive = cmd->cmd->name,
            .config = cmd->directive->filename,
            .line = cmd->directive->line_num};
}

void set_message(cmd_parms* cmd, Config& config, const char* value)
{
    config.message = make_in<Message>(cmd->pool, parse(cmd->pool, value, origin_of(cmd)));
    config.file = nullptr;
}

/// Whether a bad HelloFile is an error. At a restart there may be a version from before to
/// serve, and the children say what is wrong.
bool is_first_start()
{
    return ap_state_query(AP_SQ_CONFIG_GEN) <= 1;
}

void set_file(cmd_parms* cmd, Config& config, const char* value)
{
    const char* const path = ap_server_root_relative(cmd->pool, value);
    if (path == nullptr || *value == '\0') {
        throw std::runtime_error(shown(value) +
                                 " is not a path; expected a file, absolute or "
                                 "relative to ServerRoot");
    }
    const auto is_it = [path](const File* file) { return std::strcmp(file->path, path) == 0; };
    const auto named = std::find_if(files.begin(), files.end(), is_it);
    File* file = named != files.end() ? *named : nullptr;
    if (file == nullptr) {
        Origin origin = origin_of(cmd);
        origin.file = path;
        file = make_in<File>(cmd->pool, path, origin, cmd->server);
        files.push_back(file);
        if (is_first_start()) {
            const apr_finfo_t found = look(path, cmd->temp_pool);
            if (const auto text = read_body(path, found, cmd->temp_pool)) {
                file->make(mark_of(found), found.mtime, *text);
            }
        }
    }
    config.message = nullptr;
    config.file = file;
}

/// How values are escaped in a media type, which is in lower case.
Escape escape_of(std::string_view type)
{
    const std::string_view essence = type.substr(0, type.find_first_of("; \t"));
    // By all their names, such as "text/jscript", "text/json5" and "application/x-ndjson":
    // https://mimesniff.spec.whatwg.org/#javascript-mime-type and RFC 6839.
    for (const auto name :
         {"json"sv, "javascript"sv, "ecmascript"sv, "jscript"sv, "livescript"sv}) {
        if (essence.find(name) != std::string_view::npos) {
            return Escape::script;
        }
    }
    for (const auto name : {"text/event-stream"sv, "text/tab-separated-values"sv, "text/uri-list"sv,
                            "text/calendar"sv, "text/vcard"sv, "text/x-vcard"sv, "text/vtt"sv,
                            "text/cache-manifest"sv, "application/openmetrics-text"sv}) {
        if (essence == name) {
            return Escape::line;
        }
    }
    const bool is_csv = essence.ends_with("csv") || essence == "text/comma-separated-values";
    return is_csv ? Escape::csv : essence == "text/plain" ? Escape::none : Escape::html;
}

/// Whether the text matches, whatever its case.
bool matches(apr_pool_t* pool, const char* pattern, const char* text)
{
    const ap_regex_t* const compiled = ap_pregcomp(pool, pattern, AP_REG_EXTENDED | AP_REG_ICASE);
    return ap_regexec(compiled, text, 0, nullptr, 0) == 0;
}

void set_type(cmd_parms* cmd, Config& config, const char* value)
{
// RFC 9110, section 8.3.1.
#define TOKEN "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
#define PARAMETER TOKEN "=(" TOKEN "|\"[ !#-\\[\\]-~]*\")"
#define TYPE(parameter) "^" TOKEN "/" TOKEN "([ \t]*;[ \t]*(" parameter "))*$"
    if (!matches(cmd->temp_pool, TYPE(PARAMETER), value)) {
        throw std::runtime_error(shown(value) +
                                 " is not a media type; expected type/subtype and parameters, if "
                                 "any, such as \"text/plain; charset=utf-8\"");
    }
    std::string lower(value);
    ap_str_tolower(lower.data());
    const Escape escape = escape_of(lower);
    // In Shift_JIS a byte before it would take the backslash of an escape.
    if (escape == Escape::script &&
        !matches(cmd->temp_pool, TYPE("charset=\"?utf-8\"?|(?!charset)" PARAMETER), value)) {
        throw std::runtime_error(shown(value) +
                                 " has a character set in which values cannot be escaped for "
                                 "JavaScript and JSON; expected charset=utf-8, or none");
    }
#undef TYPE
#undef PARAMETER
#undef TOKEN
    std::string_view tag = default_type.tag;
    if (std::strcmp(value, default_type.value) != 0) {
        tag = ap_md5(cmd->pool, reinterpret_cast<const unsigned char*>(value));
        tag = tag.substr(0, 8);
    }
    config.type = make_in<Type>(cmd->pool, copy_in(cmd->pool, value), escape, tag);
}

/// Code and reason, as httpd has them or would make them up (ap_get_status_line_ex, which
/// httpd before 2.4.47 lacks).
const char* status_line(apr_pool_t* pool, int code)
{
    const char* const line = ap_get_status_line(code);
    return std::atoi(line) == code ? line : apr_psprintf(pool, "%d Status %d", code, code);
}

void set_status(cmd_parms* cmd, Config& config, const char* value)
{
    int code = 0;
    const char* const end = value + std::strlen(value);
    const auto [rest, error] = std::from_chars(value, end, code);
    const bool has_body = (code >= 200 && code <= 299 && code != HTTP_NO_CONTENT &&
                           code != HTTP_RESET_CONTENT && code != HTTP_PARTIAL_CONTENT) ||
                          (code >= 400 && code <= 599);
    if (error != std::errc{} || rest != end || !has_body) {
        throw std::runtime_error(shown(value) +
                                 " is not a status that can have a body of one's own; expected 200 "
                                 "to 299 without 204 to 206, or 400 to 599, such as 503");
    }
    config.status = make_in<Status>(cmd->pool, code, status_line(cmd->pool, code));
}

// ---------------------------------------------------------------------------
// The claim
//
// A location with "SetHandler hello" has no file, so looking for one would only
// cost time and let DocumentRoot, mod_dir and mod_mime have a say. mod_proxy shows
// the way out: claim the URI when it is translated, then decline storage for it.
// Access control comes after both.

const core_dir_config& core_config(const request_rec* r)
{
    return *static_cast<const core_dir_config*>(ap_get_core_module_config(r->per_dir_config));
}

/// Whether SetHandler names this module in a request's directory configuration.
/// SetHandler takes an expression, and any case: core_override_type in httpd's
/// server/core.c.
bool is_selected(request_rec* r)
{
    const core_dir_config& core = core_config(r);
    const char* name = core.handler;
    if (core.expr_handler != nullptr) {
        const char* error = nullptr;
        name = ap_expr_str_exec(r, core.expr_handler, &error);
        if (error != nullptr) {
            return false;  // the core finds the same error later and reports it
        }
    }
    return name != nullptr && apr_cstr_casecmp(name, handler_name) == 0;
}

/// Finds the sections that are in force for the URI and the file name at hand.
int walk_sections(request_rec* r)
{
    r->per_dir_config = r->server->lookup_defaults;
    const int status = ap_location_walk(r);
    return status != OK ? status : ap_if_walk(r);
}

/// Hook translate_name: claims a URI whose location selects this module. Runs after
/// mod_alias, mod_rewrite and mod_proxy, so that a redirect wins.
int claim(request_rec* r)
{
    if (r->proxyreq != PROXYREQ_NONE || r->uri == nullptr || r->uri[0] != '/') {
        return DECLINED;
    }
    // Two pointers, and the same until mod_rewrite has put another URI there and passes it
    // through: the sections in force are the old one's.
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

/// Hooks map_to_storage and type_checker: what is claimed has no storage to walk and
/// no extension to read a type from. TRACE is answered by httpd before it gets here.
int keep_claim(request_rec* r)
{
    return ap_get_module_config(r->request_config, &hello_module) != nullptr ? OK : DECLINED;
}

// ---------------------------------------------------------------------------
// The handler

bool is_ours(const request_rec* r)
{
    return r->handler != nullptr && std::strcmp(r->handler, handler_name) == 0;
}

// ap_set_content_type_ex came with httpd 2.4.60, and to 2.5 later. Where it exists, a
// type from the configuration says that it is to be trusted.
void set_content_type(request_rec* r, const char* type)
{
#if (MODULE_MAGIC_NUMBER_MAJOR == 20120211 && MODULE_MAGIC_NUMBER_MINOR >= 132) || \
    AP_MODULE_MAGIC_AT_LEAST(20211221, 23)
    ap_set_content_type_ex(r, type, 1);
#else
    ap_set_content_type(r, type);
#endif
}

// The bucket macros are C.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual"
#pragma GCC diagnostic ignored "-Wold-style-cast"

// Of the threads that serve HTTP/2 in a child, so many may wait for bodies.
std::atomic<int> waiting = 0;
int most_waiting = 1;

/// Reads a body on a stream of HTTP/2 and drops it. Such a connection counts as about to
/// close, so ap_discard_request_body leaves the body there, and a client that is cut off
/// while it sends may never read the answer. So it is waited for, but only as long as data
/// keeps coming, not for long, and by few at a time: who sends none must not hold them all.
int drop_stream_body(request_rec* r)
{
    constexpr std::uint32_t longest_wait = 2000;  // milliseconds in all
    constexpr std::uint32_t longest_pause = 500;  // and between two pieces
    constexpr apr_interval_time_t nap = 1000;     // microseconds; nothing tells of new data
    struct Turn {
        bool is_free = ++waiting <= most_waiting;
        ~Turn() { --waiting; }
    };
    std::optional<Turn> turn;
    apr_bucket_brigade* const brigade = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    const std::uint32_t begin = milliseconds_now();
    for (std::uint32_t last = begin, now = begin; now - begin < longest_wait;
         now = milliseconds_now()) {
        const apr_status_t status = ap_get_brigade(r->input_filters, brigade, AP_MODE_READBYTES,
                                                   APR_NONBLOCK_READ, HUGE_STRING_LEN);
        if (APR_STATUS_IS_EAGAIN(status)) {
            if (!turn) {
                turn.emplace();
            }
            if (!turn->is_free || now - last >= longest_pause) {
                break;
            }
            apr_sleep(nap);
            continue;
        }
        if (status != APR_SUCCESS) {
            return ap_map_http_request_error(status, HTTP_BAD_REQUEST);
        }
        if (!APR_BRIGADE_EMPTY(brigade) && APR_BUCKET_IS_EOS(APR_BRIGADE_LAST(brigade))) {
            break;
        }
        apr_brigade_cleanup(brigade);
        last = now;
    }
    return OK;
}

/// Reads the request's body and drops it, so that the next request is found behind it.
/// Returns OK, or the status to answer with.
int drop_body(request_rec* r)
{
    if (r->main == nullptr && r->connection->master != nullptr) {
        return drop_stream_body(r);
    }
    // Without these there is none (RFC 9112, section 6.3), and to find that out by reading
    // costs every request.
    const bool has_body = apr_table_get(r->headers_in, "Content-Length") != nullptr ||
                          apr_table_get(r->headers_in, "Transfer-Encoding") != nullptr;
    return has_body ? ap_discard_request_body(r) : OK;
}

/// Sends a body, or none where it is null, the way of default_handler in httpd's
/// server/core.c.
int send(request_rec* r, apr_bucket* body)
{
    conn_rec* const c = r->connection;
    apr_bucket_brigade* const brigade = apr_brigade_create(r->pool, c->bucket_alloc);
    if (body != nullptr) {
        ap_set_content_length(r, static_cast<apr_off_t>(body->length));
        APR_BRIGADE_INSERT_TAIL(brigade, body);
    }
    APR_BRIGADE_INSERT_TAIL(brigade, apr_bucket_eos_create(c->bucket_alloc));

    const apr_status_t passed = ap_pass_brigade(r->output_filters, brigade);
    apr_brigade_cleanup(brigade);
    if (passed == APR_SUCCESS || r->status != HTTP_OK || c->aborted != 0) {
        return OK;
    }
    ap_log_rerror(APLOG_MARK, APLOG_DEBUG, passed, r, "the answer could not be sent");
    return AP_FILTER_ERROR;
}

#pragma GCC diagnostic pop

/// What the conditions of the request come to: OK, or the status of an answer without a
/// body. Only a file has a date, and for a body without one httpd would take the time of
/// the request: RFC 9110, sections 13.1.3 and 13.1.4.
int condition_of(request_rec* r, const Message& message)
{
    if (message.mtime != 0) {
        return ap_meets_conditions(r);
    }
    if (r->no_local_copy != 0) {
        return OK;  // it is a part of another answer
    }
    if (ap_condition_if_match(r, r->headers_out) == AP_CONDITION_NOMATCH) {
        return HTTP_PRECONDITION_FAILED;
    }
    const bool is_known = ap_condition_if_none_match(r, r->headers_out) >= AP_CONDITION_WEAK;
    const bool is_part_wanted = ap_condition_if_range(r, r->headers_out) > AP_CONDITION_NONE;
    return is_known && !is_part_wanted ? HTTP_NOT_MODIFIED : OK;
}

/// Two answers that differ in their type alone differ here too.
const char* etag_of(request_rec* r, const Message& message, const Type& type)
{
    if (type.tag.empty()) {
        return message.etag;
    }
    char* const etag = static_cast<char*>(apr_palloc(r->pool, type.tag.size() + etag_size));
    put(put(put(etag, "\""), type.tag), {message.etag + 1, etag_size - 1});
    return etag;
}

/// Answers with a body that is the same for everybody: it has validators, and conditions
/// and ranges apply. `body` makes its bucket.
int answer_constant(request_rec* r, const Message& message, const Type& type, apr_bucket* body)
{
    apr_table_setn(r->headers_out, "ETag", etag_of(r, message, type));
    if (message.mtime != 0) {
        ap_update_mtime(r, message.mtime);
        ap_set_last_modified(r);
    }
    if (r->status == HTTP_OK) {
        ap_set_accept_ranges(r);
        if (const int condition = condition_of(r, message); condition != OK) {
            r->status = condition;
            apr_bucket_destroy(body);
            return send(r, nullptr);
        }
    }
    return send(r, body);
}

/// Answers with a body that was made for this request alone: nobody may keep it, and no
/// part of it makes sense beside a part of another.
int answer_rendered(request_rec* r, std::string_view bytes)
{
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    ap_remove_output_filter_byhandle(r->output_filters, "BYTERANGE");
    return send(r, apr_bucket_pool_create(bytes.data(), bytes.size(), r->pool,
                                          r->connection->bucket_alloc));
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
    // Without one, an ErrorDocument keeps the status of the error.
    if (config.status != nullptr) {
        r->status = config.status->code;
        r->status_line = config.status->line;
    }
    if (!message->is_constant()) {
        return answer_rendered(r, render(r, *message, type.escape));
    }
    const auto& [data, size] = std::pair(message->bytes.data(), message->bytes.size());
    apr_bucket_alloc_t* const allocator = r->connection->bucket_alloc;
    // Immortal: the configuration outlives the request, so nobody need copy it.
    apr_bucket* const bucket = config.file == nullptr
                                   ? apr_bucket_immortal_create(data, size, allocator)
                                   : apr_bucket_pool_create(data, size, r->pool, allocator);
    return answer_constant(r, *message, type, bucket);
}

/// Refuses a method. httpd names those that are answered, and TRACE where it answers that
/// itself; what it has set beside is lost on the way to an ErrorDocument.
int refuse_method(request_rec* r)
{
    ap_allow_standard_methods(r, REPLACE_ALLOW, M_GET, M_OPTIONS, -1);
    if (ap_send_http_options(r) == OK) {
        apr_table_setn(r->err_headers_out, "Allow", apr_table_get(r->headers_out, "Allow"));
    }
    return HTTP_METHOD_NOT_ALLOWED;
}

/// Hook handler: answers GET, HEAD and OPTIONS, and refuses every other method unless the
/// configured status is an error anyway.
/// Whatever decides on access has decided by now.
int answer(request_rec* r)
{
    if (!is_ours(r)) {
        return DECLINED;
    }
    const auto& config =
        *static_cast<const Config*>(ap_get_module_config(r->per_dir_config, &hello_module));
    // An error is one for every method but OPTIONS.
    const bool is_error = config.status != nullptr && config.status->code >= 400;
    const bool is_allowed = r->method_number == M_GET || r->method_number == M_OPTIONS || is_error;
    // Who asks before it sends need not send what will be refused: RFC 9110, 10.1.1.
    if (r->expecting_100 == 0 || (is_allowed && !is_error)) {
        if (const int status = drop_body(r); status != OK) {
            return status;
        }
    }
    if (!is_allowed) {
        return refuse_method(r);
    }
    const Type& type = config.type != nullptr ? *config.type : default_type;
    set_content_type(r, type.value);
    // What mod_mime has found are the file's, where there is one.
    r->content_encoding = nullptr;
    r->content_languages = nullptr;
    if (r->method_number == M_OPTIONS) {
        apr_table_setn(r->headers_out, "Allow", "GET, HEAD, OPTIONS");
        return OK;
    }
    apr_table_setn(r->headers_out, "X-Content-Type-Options", "nosniff");
    return answer_body(r, config, type);
}

// ---------------------------------------------------------------------------
// The start
//
// What is prepared when httpd starts or restarts, in the parent and then in each child.

/// Gives each file what its children share, from before a restart where it has been there
/// then, and frees what no directive names any more.
void share_files(apr_pool_t* process_pool)
{
    constexpr auto key = "mod_hello, layout 1";  // another one where Shared or Kept change
    void* data = nullptr;
    apr_pool_userdata_get(&data, key, process_pool);
    if (data == nullptr) {
        data = make_in<Kept>(process_pool);
        apr_pool_userdata_set(data, key, nullptr, process_pool);
    }
    auto* const head = static_cast<Kept*>(data);
    Kept left{.next = std::exchange(head->next, nullptr)};
    for (File* const file : files) {
        Kept* before = &left;
        while (before->next != nullptr && std::strcmp(before->next->path, file->path) != 0) {
            before = before->next;
        }
        try {
            Kept* const kept = before->next != nullptr
                                   ? std::exchange(before->next, before->next->next)
                                   : make_kept(process_pool, file->path);
            file->shared = kept->shared;
            kept->next = std::exchange(head->next, kept);
        } catch (const std::system_error& error) {
            if (is_first_start()) {
                throw;
            }
            ap_log_error(APLOG_MARK, APLOG_ERR, 0, file->server, "\"%s\" is answered with 500: %s",
                         file->path, error.what());
        }
    }
    while (left.next != nullptr) {
        apr_pool_destroy(std::exchange(left.next, left.next->next)->pool);
    }
}

/// Looks at each file, and waits a moment where one has just changed, so that it is whole when
/// the children begin.
void look_at_files(apr_pool_t* pool)
{
    bool is_whole = true;
    for (const File* const file : files) {
        if (Shared* const shared = file->shared; shared != nullptr) {
            const std::uint64_t mark = mark_of(look(file->path, pool));
            is_whole = (file->is_whole(mark) || shared->has(mark)) && is_whole;
            shared->complaint = 0;  // a restart says it anew
            shared->complained_at = milliseconds_now() - second;
        }
    }
    if (!is_whole && ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_CONFIG) {
        apr_sleep(quiet * apr_time_t{1000});
    }
}

/// How many threads of a child serve HTTP/2, at least. Only mod_http2 knows, if it is there.
int http2_workers(server_rec* main)
{
    int least = 1;
    ap_mpm_query(AP_MPMQ_MAX_THREADS, &least);
    int most = least;
    if (const auto ask = APR_RETRIEVE_OPTIONAL_FN(http2_get_num_workers); ask != nullptr) {
        ask(main, &least, &most);
    }
    return std::min(least, most);
}

/// Hook post_config, in the parent.
void prepare(apr_pool_t* pconf, server_rec* main)
{
    greeting = make_in<Message>(pconf, constant(pconf, "Hello World!"));
    most_waiting = std::max(1, http2_workers(main) / 4);
    share_files(main->process->pool);
    look_at_files(pconf);
}

/// Hook child_init: looks at the files as the user that the child has changed to. Where only
/// the requests change it, they look.
void begin(apr_pool_t* pchild, server_rec* /*main*/)
{
    for (const char* const changer : {"mpm_itk.c", "mod_ruid2.c"}) {
        if (geteuid() == 0 || ap_find_linked_module(changer) != nullptr) {
            return;
        }
    }
    for (File* const file : files) {
        file->current(pchild);
    }
}

// ---------------------------------------------------------------------------
// The guard
//
// An exception that reaches C ends the process, and with it every other request in
// it. Each function that httpd calls and that could throw is called through here.

const char* what_is_thrown() noexcept
{
    try {
        throw;
    } catch (const std::exception& error) {
        return error.what();
    } catch (...) {
        return "unknown exception";
    }
}

/// Calls a hook of a request. Whatever it throws is logged, and the client learns only that
/// it is an error (500).
template <int (*Hook)(request_rec*)>
int guarded(request_rec* r) noexcept
{
    try {
        return Hook(r);
    } catch (...) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "%s %s failed: %s", r->method, r->uri,
                      what_is_thrown());
        return HTTP_INTERNAL_SERVER_ERROR;
    }
}

/// Calls a hook of the start. Whatever it throws is logged, and stops httpd where it is the
/// parent's.
template <void (*Hook)(apr_pool_t*, server_rec*)>
int guarded(apr_pool_t* pool, server_rec* main) noexcept
{
    try {
        Hook(pool, main);
        return OK;
    } catch (...) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, 0, main, "mod_hello cannot start: %s",
                     what_is_thrown());
        return HTTP_INTERNAL_SERVER_ERROR;
    }
}

/// Calls a directive's setter with its one argument. Whatever it throws stops httpd with
/// a message. httpd's own TAKE1 takes an empty argument for none.
template <void (*Setter)(cmd_parms*, Config&, const char*)>
const char* guarded(cmd_parms* cmd, void* config, const char* line) noexcept
{
    // AllowOverrideList would let them into a .htaccess file all the same.
    if (const char* const error = ap_check_cmd_context(cmd, NOT_IN_HTACCESS); error != nullptr) {
        return error;
    }
    const bool has_argument = *line != '\0';
    const char* const value = ap_getword_conf(cmd->pool, &line);
    if (!has_argument || *line != '\0') {
        return apr_pstrcat(cmd->pool, cmd->cmd->name, " takes one argument, ", cmd->cmd->errmsg,
                           nullptr);
    }
    try {
        Setter(cmd, *static_cast<Config*>(config), value);
        return nullptr;
    } catch (...) {
        return apr_pstrcat(cmd->pool, cmd->cmd->name, ": ", what_is_thrown(), nullptr);
    }
}

// ---------------------------------------------------------------------------
// Registration

// Server, virtual host and every section, but no .htaccess: whoever may write one need
// not be whoever may answer for the site.
constexpr int in_config_files = RSRC_CONF | ACCESS_CONF;

const command_rec directives[] = {
    AP_INIT_RAW_ARGS("HelloMessage", guarded<set_message>, nullptr, in_config_files,
                     "the body of the answer: text in which %{...} is an expression"),
    AP_INIT_RAW_ARGS("HelloFile", guarded<set_file>, nullptr, in_config_files,
                     "a file with the body of the answer, of 1 MiB at most"),
    AP_INIT_RAW_ARGS("HelloType", guarded<set_type>, nullptr, in_config_files,
                     "the media type of the answer, with its parameters"),
    AP_INIT_RAW_ARGS("HelloStatus", guarded<set_status>, nullptr, in_config_files,
                     "the status of the answer: 200 to 299 without 204 to 206, or 400 to 599"),
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
    const auto post_config = [](apr_pool_t* pconf, apr_pool_t*, apr_pool_t*, server_rec* main) {
        return guarded<prepare>(pconf, main);
    };
    const auto child_init = [](apr_pool_t* pchild, server_rec* main) {
        guarded<begin>(pchild, main);
    };
    ap_hook_post_config(post_config, nullptr, nullptr, APR_HOOK_MIDDLE);
    ap_hook_child_init(child_init, nullptr, nullptr, APR_HOOK_MIDDLE);
    ap_hook_translate_name(guarded<claim>, nullptr, nullptr, APR_HOOK_LAST);
    ap_hook_map_to_storage(guarded<keep_claim>, nullptr, nullptr, APR_HOOK_LAST);
    ap_hook_type_checker(guarded<keep_claim>, nullptr, nullptr, APR_HOOK_FIRST);
    ap_hook_handler(guarded<answer>, nullptr, nullptr, APR_HOOK_MIDDLE);
}

}  // namespace

extern "C" {
module hello_module = {
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
}
