local threads = {}
function setup(thread) table.insert(threads, thread) end
function init(args) bad = 0; what = "" end
local expected = [==[$body]==]
function response(status, headers, body)
    if status ~= $status or body ~= expected then
        bad = bad + 1
        what = "status " .. status .. " and " .. string.sub(body, 1, 200)
    end
end
function done(summary, latency, requests)
    local bad, what = 0, ""
    for _, thread in ipairs(threads) do
        bad = bad + thread:get("bad")
        if thread:get("what") ~= "" then what = thread:get("what") end
    end
    local e = summary.errors
    print(string.format("RESULT %d %d %d %d %s", summary.requests, summary.duration,
        e.connect + e.read + e.write + e.timeout, bad, what))
end
