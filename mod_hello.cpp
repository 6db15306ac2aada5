// mod_hello - an Apache httpd content handler that answers a location by itself.
//
//     LoadModule hello_module modules/mod_hello.so
//
//     <Location "/hello">
//         SetHandler hello
//         Require all granted
//     </Location>
//
// GET /hello is then answered with "Hello World!", after httpd's own access
// control and through its own filters, conditions and ranges. Such a location is
// virtual, as one of mod_proxy's is: there is no file behind it.
//
// The parts, in the order of this file: the message, the claim of a location, the
// handler, the guard between C++ and C, and the registration with httpd.

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
#include <apr_strings.h>
#include <apr_tables.h>

#include <cstring>
#include <exception>
#include <string_view>
#include <utility>

// httpd finds a module by the name of its record, which the hidden default of the
// build would take from it.
extern "C" {
[[gnu::visibility("default")]] extern module hello_module;
}
APLOG_USE_MODULE(hello);

namespace {

using namespace std::string_view_literals;

constexpr auto handler_name = "hello";

// ---------------------------------------------------------------------------
// The message
//
// The bytes of an answer and what is known of them before anyone asks.

struct Message {
    std::string_view bytes;
    const char* etag;  // strong: RFC 9110, section 8.8.1
};

// Written when the configuration is read, before there is a second thread.
Message greeting{};

/// Prepares an answer. The result, and the bytes, live as long as the pool.
Message prepare(apr_pool_t* pool, std::string_view bytes)
{
    const auto* const data = reinterpret_cast<const unsigned char*>(bytes.data());
    const char* const digest = ap_md5_binary(pool, data, static_cast<int>(bytes.size()));
    return {.bytes = bytes, .etag = apr_pstrcat(pool, "\"", digest, "\"", nullptr)};
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
    if (r->uri != r->parsed_uri.path) {
        // Rewritten and passed through: the sections in force are the old URI's.
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

/// Reads the request's body and drops it, so that the next request is found behind it.
/// Returns OK, or the status to answer with.
int drop_body(request_rec* r)
{
    // ap_discard_request_body leaves the body where the connection is about to close, as
    // it is on every stream of HTTP/2. A client that is cut off while it sends may never
    // read the answer.
    ap_conn_keepalive_e& keepalive = r->connection->keepalive;
    const ap_conn_keepalive_e before = std::exchange(keepalive, AP_CONN_UNKNOWN);
    const int status = ap_discard_request_body(r);
    if (keepalive == AP_CONN_UNKNOWN) {
        keepalive = before;
    }
    return status;
}

// The bucket macros are C.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual"
#pragma GCC diagnostic ignored "-Wold-style-cast"

/// Sends the bytes, or nothing where a condition of the request has decided so, the
/// way of default_handler in httpd's server/core.c.
int send(request_rec* r, std::string_view bytes)
{
    conn_rec* const c = r->connection;
    apr_bucket_brigade* const brigade = apr_brigade_create(r->pool, c->bucket_alloc);
    if (const int status = ap_meets_conditions(r); status != OK) {
        r->status = status;
    } else {
        // Immortal: the configuration outlives the request, so nobody need copy it.
        APR_BRIGADE_INSERT_TAIL(
            brigade, apr_bucket_immortal_create(bytes.data(), bytes.size(), c->bucket_alloc));
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

/// Hook handler: answers GET, HEAD and OPTIONS and refuses every other method.
/// Whatever decides on access has decided by now.
int answer(request_rec* r)
{
    if (!is_ours(r)) {
        return DECLINED;
    }
    const bool is_allowed = r->method_number == M_GET || r->method_number == M_OPTIONS;
    // Who asks before it sends need not send what will be refused: RFC 9110, 10.1.1.
    if (is_allowed || r->expecting_100 == 0) {
        if (const int status = drop_body(r); status != OK) {
            return status;
        }
    }
    if (!is_allowed) {
        // Here for an ErrorDocument; httpd's own answer is mended below.
        apr_table_setn(r->err_headers_out, "Allow", allowed_methods);
        return HTTP_METHOD_NOT_ALLOWED;
    }
    set_content_type(r, "text/html; charset=utf-8");
    if (r->method_number == M_OPTIONS) {
        apr_table_setn(r->headers_out, "Allow", allowed_methods);
        return OK;
    }
    apr_table_setn(r->headers_out, "X-Content-Type-Options", "nosniff");
    apr_table_setn(r->headers_out, "ETag", greeting.etag);
    ap_set_accept_ranges(r);
    return send(r, greeting.bytes);
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

// ---------------------------------------------------------------------------
// Registration

/// Hook post_config: prepares what every request shares.
int prepare_greeting(apr_pool_t* pconf, apr_pool_t* /*plog*/, apr_pool_t* /*ptemp*/,
                     server_rec* /*main*/) noexcept
{
    greeting = prepare(pconf, "Hello World!"sv);
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
}

}  // namespace

extern "C" {
module hello_module = {
    STANDARD20_MODULE_STUFF,
    nullptr,  // create a directory's configuration
    nullptr,  // merge directories' configurations
    nullptr,  // create a server's configuration
    nullptr,  // merge servers' configurations
    nullptr,  // directives
    register_hooks,
    AP_MODULE_FLAG_NONE,
};
}
