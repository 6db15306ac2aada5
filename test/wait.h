// Waiting is polling with a deadline: no test sleeps for as long as it hopes is enough.

#pragma once

#include <chrono>
#include <functional>

namespace hello {

/// How long anything here may take before it counts as hung.
constexpr std::chrono::seconds patience{30};

/// Polls a condition until it holds.
/// Returns whether it did within the deadline.
bool eventually(const std::function<bool()>& holds, std::chrono::milliseconds deadline = patience);

}  // namespace hello
