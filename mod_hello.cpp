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
// expressions, the values in the answer, the file that holds a message, the directives,
// the claim of a location, the handler, the guard between C++ and C, and the registration
// with httpd.

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
#include <util_filter.h>
#include <util_md5.h>

#include <apr_buckets.h>
#include <apr_cstr.h>
#include <apr_pools.h>
#include <apr_strings.h>
#include <apr_tables.h>
#include <apr_time.h>

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <ctime>
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
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

// httpd finds a module by the name of its record, which the hidden default of the
// build would take from it.
extern "C" {
[[gnu::visibility("default")]] extern module hello_module;
}
APLOG_USE_MODULE(hello);

namespace {

using namespace std::chrono_literals;
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

// ---------------------------------------------------------------------------
// The configuration
//
// What the directives of one section have set. A field that is null was not set there.

/// How a value becomes part of an answer.
enum class Escape { html, json, none };

struct Type {
    const char* value;  // Content-Type
    Escape escape;
};

struct Status {
    int code;
    const char* line;  // code and reason, as the status line has them
};

struct Message;
class File;

/// Where the body comes from: one of the two is there.
struct Body {
    const Message* message;
    File* file;
};

struct Config {
    const Body* body = nullptr;
    const Type* type = nullptr;
    const Status* status = nullptr;
};

/// What holds where a section lies within another: the nearest wins, field by field.
Config merge(const Config& outer, const Config& inner)
{
    // Every field is named here, so that one more does not compile until it is merged.
    const auto& [body, type, status] = inner;
    return {
        .body = body != nullptr ? body : outer.body,
        .type = type != nullptr ? type : outer.type,
        .status = status != nullptr ? status : outer.status,
    };
}

constexpr Type default_type{.value = "text/html; charset=utf-8", .escape = Escape::html};

// The body where no directive sets one. Written by the hook post_config, before there is
// a second thread.
const Body* greeting = nullptr;

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
    std::size_t text_size = 0;            // of all literal text
    std::string_view bytes{};             // the body, where there is no expression
    const char* etag = nullptr;           // strong: RFC 9110, section 8.8.1
    const char* last_modified = nullptr;  // of a file
    apr_time_t mtime = 0;                 // the same for httpd
    bool is_constant() const { return etag != nullptr; }
};

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

/// The length of the expression that text starts with, from "%{" to its "}". A
/// backslash takes the next character with it: server/util_expr_scan.l of httpd.
/// Returns 0 where there is no end.
std::size_t expression_length(std::string_view text)
{
    for (std::size_t at = 2; at < text.size(); ++at) {
        if (text[at] == '}') {
            return at + 1;
        }
        if (text[at] == '\\') {
            ++at;
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
    expression->module_index = APLOG_MODULE_INDEX;
    const char* error = unscannable(text);
    if (error == nullptr) {
        error = ap_expr_parse(pool, pool, expression, source, nullptr);
    }
    if (error != nullptr) {
        throw std::runtime_error(
            std::string(place) + "bad expression \"" + source + "\": " + error +
            "; expected a variable or a function of httpd's expressions whose "
            "module is loaded, such as %{REMOTE_ADDR}; \\%{ stands for a literal %{");
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
    const bool is_constant = pieces.empty();
    if (!literal.empty() || is_constant) {
        end_piece({});
    }

    if (is_constant) {
        return constant(pool, pieces.front().text);
    }
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
        switch (c) {
            case '&':
                out = put(out, "&amp;");
                break;
            case '<':
                out = put(out, "&lt;");
                break;
            case '>':
                out = put(out, "&gt;");
                break;
            case '"':
                out = put(out, "&quot;");
                break;
            case '\'':
                out = put(out, "&#39;");
                break;
            case '\t':
            case '\n':
            case '\r':
                *out++ = c;
                break;
            default:
                if (static_cast<unsigned char>(c) < 0x20) {
                    out = put(out, "&#xFFFD;");
                } else {
                    *out++ = c;
                }
        }
    }
    return out;
}

struct Sequence {
    std::size_t length;
    bool is_valid;
};

/// The UTF-8 sequence that text starts with, or the part of one that a single U+FFFD
/// replaces: The Unicode Standard, table 3-7 and "Substitution of Maximal Subparts".
Sequence utf8_sequence(std::string_view text)
{
    const auto byte = [text](std::size_t at) {
        return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U;
    };
    const unsigned lead = byte(0);
    if (lead < 0x80) {
        return {.length = 1, .is_valid = true};
    }
    if (lead < 0xC2 || lead > 0xF4) {
        return {.length = 1, .is_valid = false};
    }
    const std::size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    // The second byte rules out over-long forms, surrogates, and what lies past U+10FFFF.
    unsigned lowest = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    unsigned highest = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    for (std::size_t at = 1; at < length; ++at) {
        if (byte(at) < lowest || byte(at) > highest) {
            return {.length = at, .is_valid = false};
        }
        lowest = 0x80;
        highest = 0xBF;
    }
    return {.length = length, .is_valid = true};
}

/// The content of a JSON string: RFC 8259, section 7, in UTF-8 whatever comes in. The
/// same is the content of a JavaScript string between double quotes.
char* put_json(char* out, std::string_view value)
{
    while (!value.empty()) {
        const auto [length, is_valid] = utf8_sequence(value);
        const char c = value.front();
        if (!is_valid) {
            out = put(out, "\xEF\xBF\xBD");  // U+FFFD
        } else if (c == '"' || c == '\\') {
            *out++ = '\\';
            *out++ = c;
        } else if (static_cast<unsigned char>(c) < 0x20) {
            constexpr auto digits = "0123456789abcdef"sv;
            out = put(out, "\\u00");
            *out++ = digits[static_cast<unsigned char>(c) >> 4U];
            *out++ = digits[static_cast<unsigned char>(c) & 0xFU];
        } else {
            out = put(out, value.substr(0, length));
        }
        value.remove_prefix(length);
    }
    return out;
}

/// As the escaping says.
char* put_value(char* out, std::string_view value, Escape escape)
{
    switch (escape) {
        case Escape::html:
            return put_html(out, value);
        case Escape::json:
            return put_json(out, value);
        case Escape::none:
            return put(out, value);
    }
    return out;
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
// The file
//
// A body in a file is read when the configuration is read, and again by the first
// request after it has changed. Requests that are under way keep the version they have.

constexpr std::size_t largest_file = 1'048'576;  // bytes: 1 MiB

/// What tells one version of a file from another.
struct Identity {
    dev_t device;
    ino_t inode;
    off_t size;
    std::int64_t mtime;  // nanoseconds since 1970

    bool operator==(const Identity&) const = default;
};

Identity identity_of(const struct stat& status)
{
    constexpr std::int64_t second = 1'000'000'000;
    constexpr std::int64_t longest = 9'000'000'000;  // seconds: what fits in nanoseconds
    const std::int64_t seconds = std::clamp<std::int64_t>(status.st_mtim.tv_sec, -longest, longest);
    return {.device = status.st_dev,
            .inode = status.st_ino,
            .size = status.st_size,
            .mtime = seconds * second + status.st_mtim.tv_nsec};
}

/// Which version lies at a path, if any.
std::optional<Identity> look(const char* path)
{
    struct stat status {};
    if (::stat(path, &status) != 0) {
        return std::nullopt;
    }
    return identity_of(status);
}

std::string unreadable(const char* path)
{
    return shown(path) + " cannot be read, expected a file that holds the body";
}

/// Reads the version of a file that was found there, or nothing where it is another one
/// by now. Throws why it cannot be a body.
std::optional<std::string> read(const char* path, const std::optional<Identity>& found)
{
    struct Descriptor {
        int number;
        ~Descriptor() { ::close(number); }
    };
    // Where somebody has put a pipe, opening must not wait for a writer.
    const Descriptor file{::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    struct stat status {};
    if (file.number < 0 || ::fstat(file.number, &status) != 0) {
        throw std::system_error(errno, std::generic_category(), unreadable(path));
    }
    if (identity_of(status) != found) {
        return std::nullopt;
    }
    const auto size = static_cast<std::size_t>(status.st_size);
    if (!S_ISREG(status.st_mode)) {
        throw std::runtime_error(shown(path) +
                                 " is not a regular file; expected one that holds the body");
    }
    if (size == 0) {
        throw std::runtime_error(shown(path) + " is empty; expected the body");
    }
    if (size > largest_file) {
        throw std::runtime_error(shown(path) + " has " + std::to_string(size) +
                                 " bytes; expected 1 MiB (1048576 bytes) at most");
    }
    std::string text(size, '\0');
    std::size_t done = 0;
    ssize_t count = 0;
    while (done < size && (count = ::read(file.number, &text[done], size - done)) > 0) {
        done += static_cast<std::size_t>(count);
    }
    if (count < 0 || ::fstat(file.number, &status) != 0) {
        throw std::system_error(errno, std::generic_category(), unreadable(path));
    }
    if (identity_of(status) != found) {
        return std::nullopt;
    }
    if (done != size) {
        throw std::runtime_error(shown(path) + " ends before its size; expected a plain file");
    }
    return text;
}

/// A version of a file: its message, in a pool of its own. It is not a child of another
/// pool, because versions come and go in any thread.
struct Version {
    Version(std::string_view text, const Identity& id, const Origin& origin);
    ~Version() { apr_pool_destroy(pool); }
    Version(const Version&) = delete;
    Version& operator=(const Version&) = delete;

    apr_pool_t* pool = nullptr;
    Identity identity;
    Message message{};
};

Version::Version(std::string_view text, const Identity& id, const Origin& origin) : identity(id)
{
    apr_pool_create_unmanaged_ex(&pool, nullptr, nullptr);
    try {
        message = parse(pool, text, origin);
    } catch (...) {
        apr_pool_destroy(pool);
        throw;
    }
    if (message.is_constant()) {
        message.mtime = identity.mtime / 1000;
        auto* const date = static_cast<char*>(apr_palloc(pool, APR_RFC822_DATE_LEN));
        apr_rfc822_date(date, message.mtime);
        message.last_modified = date;
    }
}

/// The newest good version of a file, in memory that all children of an httpd share: a
/// file that is deleted goes on being served by those too that have not read it yet.
class Store {
  public:
    struct Content {
        pthread_mutex_t mutex;  // guards what follows
        Identity identity;
        bool is_whole = false;                  // nobody died while writing it
        std::atomic<bool> has_refused = false;  // something was found wrong and logged:
        std::optional<Identity> refused;        // what, if there was a file at all
        bool is_hopeless = false;               // only another version can be better
        std::int64_t unsettled_since = 0;       // microseconds since 1970, or 0
        std::size_t size;
        char text[largest_file];
    };

    Store();
    ~Store();
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;

    /// std::lock_guard works on a store.
    void lock();
    void unlock() { pthread_mutex_unlock(&content_->mutex); }

    Content& content() { return *content_; }
    bool has_refused() const { return content_->has_refused; }
    void keep(std::string_view text, const Identity& identity);

  private:
    Content* content_;
};

Store::Store()
{
    // Of a mebibyte only what is written becomes memory.
    void* const memory = ::mmap(nullptr, sizeof(Content), PROT_READ | PROT_WRITE,
                                MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        throw std::system_error(errno, std::generic_category(), "shared memory");
    }
    content_ = new (memory) Content;
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    // A child that is killed must not leave the others waiting.
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&content_->mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
}

Store::~Store()
{
    ::munmap(content_, sizeof(Content));
}

void Store::lock()
{
    if (pthread_mutex_lock(&content_->mutex) == EOWNERDEAD) {
        pthread_mutex_consistent(&content_->mutex);
    }
}

void Store::keep(std::string_view text, const Identity& identity)
{
    content_->is_whole = false;
    put(content_->text, text);
    content_->size = text.size();
    content_->identity = identity;
    content_->has_refused = false;
    content_->unsettled_since = 0;
    content_->is_whole = true;
}

/// A file that HelloFile names. The threads of a child share it, and its store is shared
/// by all children.
class File {
  public:
    /// Throws why the file cannot be served.
    File(const char* path, const Origin& origin);

    /// The version to answer a request with.
    std::shared_ptr<const Version> current(request_rec* r);

  private:
    bool load(const std::optional<Identity>& found);
    void refresh(request_rec* r, std::optional<Identity> found);
    std::chrono::nanoseconds unrest(const std::optional<Identity>& found);
    bool has_patience();

    static constexpr std::chrono::milliseconds patience{500};
    static constexpr std::chrono::nanoseconds longest_nap{5'000'000};

    const char* path_;
    Origin origin_;
    Store store_;
    std::mutex mutex_;  // guards what follows
    std::shared_ptr<const Version> version_;
};

File::File(const char* path, const Origin& origin) : path_(path), origin_(origin)
{
    constexpr int attempts = 100;
    for (int attempt = 0; attempt < attempts; ++attempt) {
        if (load(look(path_))) {
            return;
        }
    }
    throw std::runtime_error(shown(path_) +
                             " changes whenever it is read; expected a file at rest");
}

/// Takes the version that was found, unless there is another one by now. Throws why it
/// cannot be served.
bool File::load(const std::optional<Identity>& found)
{
    const std::optional<std::string> text = read(path_, found);
    if (!text) {
        return false;
    }
    version_ = std::make_shared<const Version>(*text, *found, origin_);
    store_.keep(*text, *found);
    return true;
}

std::shared_ptr<const Version> File::current(request_rec* r)
{
    const std::optional<Identity> found = look(path_);
    const std::lock_guard lock(mutex_);
    if (found != version_->identity || store_.has_refused()) {
        refresh(r, found);
    }
    return version_;
}

/// Takes the version that lies there. Where it cannot be served, it says so once and
/// takes the newest good one that any child has seen.
void File::refresh(request_rec* r, std::optional<Identity> found)
{
    const std::lock_guard lock(store_);
    Store::Content& shared = store_.content();
    const auto is_known = [&] {
        if (shared.is_whole && found == shared.identity) {
            shared.has_refused = false;
            shared.unsettled_since = 0;
            return true;
        }
        return shared.has_refused && shared.is_hopeless && found == shared.refused;
    };
    const auto refuse = [&](const std::exception& error, bool is_hopeless) {
        if (!shared.has_refused || found != shared.refused) {
            ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                          "%s at %s:%d: %s; the last good version goes on being served",
                          origin_.directive, origin_.config, origin_.line, error.what());
        }
        shared.has_refused = true;
        shared.refused = found;
        shared.is_hopeless = is_hopeless;
        shared.unsettled_since = 0;
    };
    try {
        while (!is_known()) {
            const std::chrono::nanoseconds rest = unrest(found);
            if (rest == 0ns && load(found)) {
                return;
            }
            // Nor is there a version to be had where no two looks agree.
            if (!has_patience()) {
                break;
            }
            std::this_thread::sleep_for(std::min(rest, longest_nap));
            found = look(path_);
        }
    } catch (const std::system_error& error) {
        refuse(error, false);  // its mode may change, or a descriptor become free
    } catch (const std::exception& error) {
        refuse(error, true);
    }
    if (shared.is_whole && shared.identity != version_->identity) {
        version_ = std::make_shared<const Version>(std::string_view(shared.text, shared.size),
                                                   shared.identity, origin_);
    }
}

/// How long a changed file must be left alone until it can be read. One that was renamed
/// into place is whole. One that is written in place may be half there, which nothing but
/// quiet tells; where it is empty, the writer has most likely just begun.
std::chrono::nanoseconds File::unrest(const std::optional<Identity>& found)
{
    const Identity& served = store_.content().identity;
    if (!found || found->device != served.device || found->inode != served.inode) {
        return {};
    }
    const std::chrono::nanoseconds quiet = found->size == 0 ? patience : 20ms;
    const std::chrono::nanoseconds age{apr_time_now() * 1000 - found->mtime};
    // A file from the future says nothing of when it was written.
    return age < 0ns || age >= quiet ? 0ns : quiet - age;
}

/// Whether to wait for a writer. One that goes on and on is waited for only once.
bool File::has_patience()
{
    std::int64_t& since = store_.content().unsettled_since;
    const std::int64_t now = apr_time_now();
    since = since == 0 ? now : since;
    return std::chrono::microseconds(now - since) < patience;
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
    const auto* const message =
        make_in<Message>(cmd->pool, parse(cmd->pool, value, origin_of(cmd)));
    config.body = make_in<Body>(cmd->pool, message, nullptr);
}

void set_file(cmd_parms* cmd, Config& config, const char* value)
{
    const char* const path = ap_server_root_relative(cmd->pool, value);
    if (path == nullptr || *value == '\0') {
        throw std::runtime_error(shown(value) +
                                 " is not a path; expected a file, absolute or "
                                 "relative to ServerRoot");
    }
    Origin origin = origin_of(cmd);
    origin.file = path;
    config.body = make_in<Body>(cmd->pool, nullptr, make_in<File>(cmd->pool, path, origin));
}

/// How values are escaped in a media type.
Escape escape_of(std::string_view type)
{
    std::string essence(type.substr(0, type.find_first_of("; \t")));
    std::transform(essence.begin(), essence.end(), essence.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    // By any of their names, such as "text/json", "+json" and "x-javascript".
    for (const auto name : {"json"sv, "javascript"sv, "ecmascript"sv}) {
        if (essence.ends_with(name)) {
            return Escape::json;
        }
    }
    return essence == "text/plain" ? Escape::none : Escape::html;
}

void set_type(cmd_parms* cmd, Config& config, const char* value)
{
// RFC 9110, section 8.3.1.
#define TOKEN "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
    constexpr auto media_type =
        "^" TOKEN "/" TOKEN "([ \t]*;[ \t]*" TOKEN "=(" TOKEN "|\"[ !#-\\[\\]-~]*\"))*$";
#undef TOKEN
    const ap_regex_t* const pattern = ap_pregcomp(cmd->temp_pool, media_type, AP_REG_EXTENDED);
    if (ap_regexec(pattern, value, 0, nullptr, 0) != 0) {
        throw std::runtime_error(shown(value) +
                                 " is not a media type; expected type/subtype and parameters, if "
                                 "any, such as \"text/plain; charset=utf-8\"");
    }
    config.type = make_in<Type>(cmd->pool, copy_in(cmd->pool, value), escape_of(value));
}

void set_status(cmd_parms* cmd, Config& config, const char* value)
{
    int code = 0;
    const char* const end = value + std::strlen(value);
    const auto [rest, error] = std::from_chars(value, end, code);
    const bool has_body =
        (code >= 200 && code <= 299 && code != HTTP_NO_CONTENT && code != HTTP_RESET_CONTENT) ||
        (code >= 400 && code <= 599);
    if (error != std::errc{} || rest != end || !has_body) {
        throw std::runtime_error(shown(value) +
                                 " is not a status that can have a body of one's own; expected 200 "
                                 "to 299 without 204 and 205, or 400 to 599, such as 503");
    }
    config.status = make_in<Status>(cmd->pool, code, ap_get_status_line_ex(cmd->pool, code));
}

// ---------------------------------------------------------------------------
// The claim
//
// A location with "SetHandler hello" has no file, so looking for one would only
// cost time and let DocumentRoot, mod_dir and mod_mime have a say. mod_proxy shows
// the way out: claim the URI when it is translated, then decline storage for it.
// Access control comes after both.

/// Whether SetHandler names this module in a request's directory configuration.
/// SetHandler takes an expression, and any case: core_override_type in httpd's
/// server/core.c.
bool is_selected(request_rec* r)
{
    const auto* const core =
        static_cast<const core_dir_config*>(ap_get_core_module_config(r->per_dir_config));
    const char* name = core->handler;
    if (core->expr_handler != nullptr) {
        const char* error = nullptr;
        name = ap_expr_str_exec(r, core->expr_handler, &error);
        if (error != nullptr) {
            return false;  // the core finds the same error later and reports it
        }
    }
    return name != nullptr && apr_cstr_casecmp(name, handler_name) == 0;
}

bool is_claimed(const request_rec* r)
{
    return ap_get_module_config(r->request_config, &hello_module) != nullptr;
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
    if (r->uri != r->parsed_uri.path) {
        r->per_dir_config = r->server->lookup_defaults;
        for (const auto walk : {ap_location_walk, ap_if_walk}) {
            if (const int status = walk(r); status != OK) {
                return status;
            }
        }
    }
    if (!is_selected(r)) {
        return DECLINED;
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
    return is_claimed(r) ? OK : DECLINED;
}

// ---------------------------------------------------------------------------
// The handler

constexpr auto allowed_methods = "GET, HEAD, OPTIONS";

bool is_ours(const request_rec* r)
{
    return r->handler != nullptr && std::strcmp(r->handler, handler_name) == 0;
}

// ap_set_content_type_ex came with httpd 2.4.60. Where it exists, a type from the
// configuration says that it is to be trusted.
void set_content_type(request_rec* r, const char* type)
{
#if AP_MODULE_MAGIC_AT_LEAST(20120211, 132)
    ap_set_content_type_ex(r, type, 1);
#else
    ap_set_content_type(r, type);
#endif
}

// The bucket macros are C.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual"
#pragma GCC diagnostic ignored "-Wold-style-cast"

/// Reads a body on a stream of HTTP/2 and drops it. Such a connection counts as about to
/// close, so ap_discard_request_body leaves the body there, and a client that is cut off
/// while it sends may never read the answer. It is waited for, but not for long: a body
/// that trickles in would hold one of few workers.
int drop_stream_body(request_rec* r)
{
    constexpr apr_interval_time_t patience = 2'000'000;  // microseconds
    const apr_time_t deadline = apr_time_now() + patience;
    apr_bucket_brigade* const brigade = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    for (bool at_end = false; !at_end && apr_time_now() < deadline;) {
        const apr_status_t status = ap_get_brigade(r->input_filters, brigade, AP_MODE_READBYTES,
                                                   APR_NONBLOCK_READ, HUGE_STRING_LEN);
        if (APR_STATUS_IS_EAGAIN(status)) {
            std::this_thread::sleep_for(1ms);
            continue;
        }
        if (status != APR_SUCCESS) {
            return ap_map_http_request_error(status, HTTP_BAD_REQUEST);
        }
        at_end = !APR_BRIGADE_EMPTY(brigade) && APR_BUCKET_IS_EOS(APR_BRIGADE_LAST(brigade));
        apr_brigade_cleanup(brigade);
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

void set_status_of(request_rec* r, const Status* status)
{
    // Without one, an ErrorDocument keeps the status of the error.
    if (status != nullptr) {
        r->status = status->code;
        r->status_line = status->line;
    }
}

/// Answers with a body that is the same for everybody: it has validators, and conditions
/// and ranges apply. `body` makes its bucket.
int answer_constant(request_rec* r, const Message& message, const Status* status, apr_bucket* body)
{
    set_status_of(r, status);
    apr_table_setn(r->headers_out, "ETag", message.etag);
    if (message.last_modified != nullptr) {
        ap_update_mtime(r, message.mtime);
        if (message.mtime <= r->request_time) {
            apr_table_setn(r->headers_out, "Last-Modified", message.last_modified);
        } else {
            ap_set_last_modified(r);  // no later than now: RFC 9110, section 8.8.2.1
        }
    } else {
        // httpd would take the time of the request: RFC 9110, sections 13.1.3 and 13.1.4.
        apr_table_unset(r->headers_in, "If-Modified-Since");
        apr_table_unset(r->headers_in, "If-Unmodified-Since");
    }
    if (r->status == HTTP_OK) {
        ap_set_accept_ranges(r);
        if (const int condition = ap_meets_conditions(r); condition != OK) {
            r->status = condition;
            apr_bucket_destroy(body);
            return send(r, nullptr);
        }
    }
    return send(r, body);
}

constexpr auto no_store = "no-store";
ap_filter_rec_t* no_store_filter = nullptr;

/// Answers with a body that was made for this request alone: nobody may keep it, and no
/// part of it makes sense beside a part of another.
int answer_rendered(request_rec* r, std::string_view bytes, const Status* status)
{
    set_status_of(r, status);
    apr_table_setn(r->headers_out, "Cache-Control", no_store);
    ap_add_output_filter_handle(no_store_filter, nullptr, r, r->connection);
    apr_table_unset(r->headers_in, "Range");
    return send(r, apr_bucket_pool_create(bytes.data(), bytes.size(), r->pool,
                                          r->connection->bucket_alloc));
}

/// Filter behind mod_headers: "Header always set Cache-Control" goes to a table of its own
/// and would otherwise be sent beside ours.
apr_status_t yield_cache_control(ap_filter_t* filter, apr_bucket_brigade* brigade) noexcept
{
    request_rec* const r = filter->r;
    const char* const value = apr_table_get(r->headers_out, "Cache-Control");
    if (value == no_store && apr_table_get(r->err_headers_out, "Cache-Control") != nullptr) {
        apr_table_unset(r->headers_out, "Cache-Control");
    }
    ap_remove_output_filter(filter);
    return ap_pass_brigade(filter->next, brigade);
}

/// Answers with the body that the configuration names.
int answer_body(request_rec* r, const Config& config, const Type& type)
{
    const Body& body = config.body != nullptr ? *config.body : *greeting;
    apr_bucket_alloc_t* const allocator = r->connection->bucket_alloc;
    if (body.file == nullptr) {
        const Message& message = *body.message;
        if (!message.is_constant()) {
            return answer_rendered(r, render(r, message, type.escape), config.status);
        }
        // Immortal: the configuration outlives the request, so nobody need copy it.
        return answer_constant(
            r, message, config.status,
            apr_bucket_immortal_create(message.bytes.data(), message.bytes.size(), allocator));
    }
    // The request holds its version until the last byte is sent, which may be after this.
    using Held = std::shared_ptr<const Version>;
    const Message& message = (*make_in<Held>(r->pool, body.file->current(r)))->message;
    if (!message.is_constant()) {
        return answer_rendered(r, render(r, message, type.escape), config.status);
    }
    return answer_constant(
        r, message, config.status,
        apr_bucket_pool_create(message.bytes.data(), message.bytes.size(), r->pool, allocator));
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
        // Here for an ErrorDocument; httpd's own answer is mended below.
        apr_table_setn(r->err_headers_out, "Allow", allowed_methods);
        return HTTP_METHOD_NOT_ALLOWED;
    }
    const Type& type = config.type != nullptr ? *config.type : default_type;
    set_content_type(r, type.value);
    if (r->method_number == M_OPTIONS) {
        apr_table_setn(r->headers_out, "Allow", allowed_methods);
        return OK;
    }
    apr_table_setn(r->headers_out, "X-Content-Type-Options", "nosniff");
    return answer_body(r, config, type);
}

// httpd writes the Allow of a 405 itself (make_allow in modules/http/http_protocol.c)
// and names TRACE wherever TraceEnable is on. TRACE is httpd's, not this location's.
ap_filter_rec_t* allow_filter = nullptr;

apr_status_t correct_allow(ap_filter_t* filter, apr_bucket_brigade* brigade) noexcept
{
    apr_table_setn(filter->r->headers_out, "Allow", allowed_methods);
    ap_remove_output_filter(filter);
    return ap_pass_brigade(filter->next, brigade);
}

/// Hook insert_error_filter.
void insert_error_filter(request_rec* r) noexcept
{
    if (r->status == HTTP_METHOD_NOT_ALLOWED && is_ours(r)) {
        ap_add_output_filter_handle(allow_filter, nullptr, r, r->connection);
    }
}

// ---------------------------------------------------------------------------
// The guard
//
// An exception that reaches C ends the process, and with it every other request in
// it. Each function that httpd calls and that could throw is called through here.

/// Calls a hook. Whatever it throws is logged, and the client learns only that it
/// is an error (500).
template <int (*Hook)(request_rec*)>
int guarded(request_rec* r) noexcept
{
    try {
        return Hook(r);
    } catch (const std::exception& error) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "%s %s failed: %s", r->method, r->uri,
                      error.what());
    } catch (...) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "%s %s failed: unknown exception", r->method,
                      r->uri);
    }
    return HTTP_INTERNAL_SERVER_ERROR;
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
    } catch (const std::exception& error) {
        return apr_pstrcat(cmd->pool, cmd->cmd->name, ": ", error.what(), nullptr);
    } catch (...) {
        return apr_pstrcat(cmd->pool, cmd->cmd->name, ": unknown exception", nullptr);
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
                     "the status of the answer: 200 to 299 without 204 and 205, or 400 to 599"),
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

/// Hook post_config: prepares the body where no directive sets one.
int prepare_greeting(apr_pool_t* pconf, apr_pool_t* /*plog*/, apr_pool_t* /*ptemp*/,
                     server_rec* /*main*/) noexcept
{
    const auto* const message = make_in<Message>(pconf, constant(pconf, "Hello World!"));
    greeting = make_in<Body>(pconf, message, nullptr);
    return OK;
}

void register_hooks(apr_pool_t* /*pconf*/) noexcept
{
    ap_hook_post_config(prepare_greeting, nullptr, nullptr, APR_HOOK_MIDDLE);
    ap_hook_translate_name(guarded<claim>, nullptr, nullptr, APR_HOOK_LAST);
    ap_hook_map_to_storage(guarded<keep_claim>, nullptr, nullptr, APR_HOOK_LAST);
    ap_hook_type_checker(guarded<keep_claim>, nullptr, nullptr, APR_HOOK_FIRST);
    ap_hook_handler(guarded<answer>, nullptr, nullptr, APR_HOOK_MIDDLE);
    ap_hook_insert_error_filter(insert_error_filter, nullptr, nullptr, APR_HOOK_LAST);
    allow_filter =
        ap_register_output_filter("HELLO_ALLOW", correct_allow, nullptr, AP_FTYPE_CONTENT_SET);
    no_store_filter =
        ap_register_output_filter("HELLO_NO_STORE", yield_cache_control, nullptr,
                                  static_cast<ap_filter_type>(AP_FTYPE_CONTENT_SET + 1));
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
    AP_MODULE_FLAG_NONE,
};
}
