#include "wait.h"

#include <algorithm>
#include <thread>

namespace hello {

bool eventually(const std::function<bool()>& holds, std::chrono::milliseconds deadline)
{
    using Clock = std::chrono::steady_clock;
    const auto end = Clock::now() + deadline;
    for (;;) {
        const auto begun = Clock::now();
        if (holds()) {
            return true;
        }
        const auto now = Clock::now();
        if (now >= end) {
            return false;
        }
        // To look may cost more than others can spare, were it done all the time.
        std::this_thread::sleep_for(std::clamp<Clock::duration>(
            2 * (now - begun), std::chrono::milliseconds(5), std::chrono::milliseconds(100)));
    }
}

}  // namespace hello
