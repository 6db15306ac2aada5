// A module for scripts/bench alone: the greeting by httpd's shortest way, which is a floor
// for what any handler can cost. A quick handler answers before access control, so this is
// nothing to serve with.

#include <httpd.h>

#include <http_config.h>
#include <http_protocol.h>
#include <util_filter.h>

#include <cstring>
#include <string_view>

namespace {

constexpr std::string_view greeting = "Hello World!";

// The bucket macros are C.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wold-style-cast"

int answer(request_rec* r, int is_lookup) noexcept
{
    // One URI, so that both ways are measured in one configuration.
    if (is_lookup != 0 || r->uri == nullptr || std::strcmp(r->uri, "/quick") != 0) {
        return DECLINED;
    }
    ap_set_content_type(r, "text/html; charset=utf-8");
    apr_bucket_alloc_t* const allocator = r->connection->bucket_alloc;
    apr_bucket_brigade* const brigade = apr_brigade_create(r->pool, allocator);
    APR_BRIGADE_INSERT_TAIL(
        brigade, apr_bucket_immortal_create(greeting.data(), greeting.size(), allocator));
    APR_BRIGADE_INSERT_TAIL(brigade, apr_bucket_eos_create(allocator));
    return ap_pass_brigade(r->output_filters, brigade) == APR_SUCCESS ? OK : AP_FILTER_ERROR;
}

#pragma GCC diagnostic pop

void register_hooks(apr_pool_t* /*pconf*/) noexcept
{
    ap_hook_quick_handler(answer, nullptr, nullptr, APR_HOOK_FIRST);
}

}  // namespace

extern "C" {
[[gnu::visibility("default")]] extern module quick_module;
module quick_module = {
    STANDARD20_MODULE_STUFF, nullptr, nullptr, nullptr, nullptr, nullptr, register_hooks,
    AP_MODULE_FLAG_NONE,
};
}
