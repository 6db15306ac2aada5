// A module for the tests alone: mod_hello's guard before hooks that throw.

// Two modules in one process may not share the name of a record.
#define hello_module hello_module_of_the_test

// The guard lives in the one file that the module is.
#include "../mod_hello.cpp"  // NOLINT(bugprone-suspicious-include)

#include <stdexcept>

namespace {

int throw_in_translate(request_rec* r)
{
    if (std::strcmp(r->uri, "/translate") == 0) {
        throw std::runtime_error("what the hook threw");
    }
    return DECLINED;
}

int throw_in_handler(request_rec* r)
{
    if (std::strcmp(r->uri, "/standard") == 0) {
        throw std::runtime_error("what the handler threw");
    }
    if (std::strcmp(r->uri, "/other") == 0) {
        throw 42;
    }
    return DECLINED;
}

void register_throwing_hooks(apr_pool_t* /*pconf*/)
{
    ap_hook_translate_name(guarded<throw_in_translate>, nullptr, nullptr, APR_HOOK_FIRST);
    ap_hook_handler(guarded<throw_in_handler>, nullptr, nullptr, APR_HOOK_FIRST);
}

}  // namespace

extern "C" {
[[gnu::visibility("default")]] extern module hello_throw_module;
module hello_throw_module = {
    STANDARD20_MODULE_STUFF, nullptr, nullptr, nullptr, nullptr, nullptr, register_throwing_hooks,
    AP_MODULE_FLAG_NONE,
};
}
