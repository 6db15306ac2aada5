#include "text.h"

#include <iomanip>
#include <regex>
#include <sstream>

namespace hello {

bool contains(const std::string& text, const std::string& part)
{
    return text.find(part) != std::string::npos;
}

std::size_t count(std::string_view text, std::string_view part)
{
    std::size_t found = 0;
    for (auto at = text.find(part); at != std::string::npos;
         at = text.find(part, at + part.size())) {
        ++found;
    }
    return found;
}

std::string replaced(std::string text, const std::string& from, const std::string& to)
{
    for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
        text.replace(at, from.size(), to);
    }
    return text;
}

Strings lines_of(const std::string& text)
{
    std::istringstream in(text);
    Strings lines;
    for (std::string line; std::getline(in, line);) {
        lines.push_back(line);
    }
    return lines;
}

std::string numbered(const std::string& text)
{
    std::ostringstream out;
    int number = 0;
    for (const std::string& line : lines_of(text)) {
        out << std::setw(4) << ++number << "  " << line << '\n';
    }
    return out.str();
}

bool finds(const std::string& text, const std::string& pattern, bool in_any_case)
{
    auto flags = std::regex::ECMAScript;
    if (in_any_case) {
        flags |= std::regex::icase;
    }
    return std::regex_search(text, std::regex(pattern, flags));
}

bool matches(const std::string& text, const std::string& pattern)
{
    return std::regex_match(text, std::regex(pattern));
}

std::vector<Strings> matches_of(const std::string& text, const std::string& pattern)
{
    const std::regex regex(pattern);
    std::vector<Strings> result;
    for (std::sregex_iterator at(text.begin(), text.end(), regex), end; at != end; ++at) {
        result.emplace_back(at->begin(), at->end());
    }
    return result;
}

std::string first_match(const std::string& text, const std::string& pattern)
{
    std::smatch found;
    return std::regex_search(text, found, std::regex(pattern)) ? found.str(found.size() > 1 ? 1 : 0)
                                                               : "";
}

std::string substituted(const std::string& text, const std::string& pattern,
                        const std::string& replacement)
{
    return std::regex_replace(text, std::regex(pattern), replacement);
}

}  // namespace hello
