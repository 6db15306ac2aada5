// What tests do with texts.

#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hello {

using Strings = std::vector<std::string>;

bool contains(const std::string& text, const std::string& part);

/// How often a part stands in a text, one after the other.
std::size_t count(std::string_view text, std::string_view part);

/// Every `from` becomes `to`.
std::string replaced(std::string text, const std::string& from, const std::string& to);

/// Without their ends.
Strings lines_of(const std::string& text);

/// Each line with its number, as a failed test shows a configuration.
std::string numbered(const std::string& text);

/// Whether a part of a text matches a pattern, which is what ECMAScript takes; whether all of it
/// does.
bool finds(const std::string& text, const std::string& pattern, bool in_any_case = false);
bool matches(const std::string& text, const std::string& pattern);

/// What matches, from the first to the last: each time all of it, and then its groups.
std::vector<Strings> matches_of(const std::string& text, const std::string& pattern);

/// The first group of the first match, or all of it where there are no groups; or nothing.
std::string first_match(const std::string& text, const std::string& pattern);

/// Whatever matches becomes a replacement, in which $1 is the first group.
std::string substituted(const std::string& text, const std::string& pattern,
                        const std::string& replacement);

}  // namespace hello
