// What must not get out of the module. No exception crosses into C: a module made for this
// test throws in every hook that the guard stands before. No symbol but the record's is
// there for another library to bind to.

#include <algorithm>

#include "httpd.h"

namespace hello {
namespace {

TEST_F(HttpdTest, AnExceptionEndsOneRequestAndNothingElse)
{
    expect_log("GET /standard failed: what the handler threw");
    expect_log("GET /other failed: unknown exception");
    expect_log("GET /translate failed: what the hook threw");
    start(std::string("LoadModule hello_throw_module ") + HELLO_THROW_MODULE + open_location);
    for (const char* const path : {"/standard", "/other", "/translate"}) {
        const Response response = get(path);
        EXPECT_EQ(response.status, 500) << path << response;
        EXPECT_EQ(response.body.find("threw"), std::string::npos) << response;
        EXPECT_EQ(get("/").body, "Hello World!");
    }
}

TEST(Module, ExportsItsRecordAlone)
{
    const Finished listed = run({.argv = {"nm", "-D", "--defined-only", module_path()}});
    ASSERT_EQ(listed.status, 0) << listed.err;
    EXPECT_EQ(std::count(listed.out.begin(), listed.out.end(), '\n'), 1) << listed.out;
    EXPECT_TRUE(listed.out.ends_with(" D hello_module\n")) << listed.out;
}

}  // namespace
}  // namespace hello
