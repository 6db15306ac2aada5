#include "client.h"

#include <curl/curl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cctype>
#include <memory>
#include <ostream>
#include <stdexcept>

#include "errors.h"
#include "sockets.h"
#include "wait.h"

namespace hello {

std::optional<std::string> Response::header(std::string_view name) const
{
    std::optional<std::string> joined;
    for (const auto& [key, value] : headers) {
        if (key == name) {
            joined = joined ? *joined + ", " + value : value;
        }
    }
    return joined;
}

std::ostream& operator<<(std::ostream& out, const Response& response)
{
    out << "\nstatus " << response.status << ' ' << response.error << '\n';
    for (const auto& [name, value] : response.headers) {
        out << name << ": " << value << '\n';
    }
    return out << '\n' << response.body << '\n';
}

namespace {

std::size_t take_header(char* data, std::size_t size, std::size_t count, void* into)
{
    auto* const response = static_cast<Response*>(into);
    std::string_view line(data, size * count);
    while (line.ends_with('\n') || line.ends_with('\r')) {
        line.remove_suffix(1);
    }
    const std::size_t colon = line.find(':');
    if (line.starts_with("HTTP/")) {
        response->headers.clear();  // what came before was a 100
    } else if (colon != std::string_view::npos) {
        std::string name(line.substr(0, colon));
        std::transform(name.begin(), name.end(), name.begin(),
                       [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        std::string_view value = line.substr(colon + 1);
        while (value.starts_with(' ')) {
            value.remove_prefix(1);
        }
        response->headers.emplace_back(name, value);
    }
    return size * count;
}

std::size_t take_body(char* data, std::size_t size, std::size_t count, void* into)
{
    static_cast<Response*>(into)->body.append(data, size * count);
    return size * count;
}

}  // namespace

Response fetch(const Request& request)
{
    static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
    const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> handle(curl_easy_init(),
                                                                     curl_easy_cleanup);
    if (ready != CURLE_OK || !handle) {
        throw std::runtime_error("libcurl does not start");
    }
    const auto set = [&handle](CURLoption option, auto value) {
        if (curl_easy_setopt(handle.get(), option, value) != CURLE_OK) {
            throw std::runtime_error("libcurl refuses option " + std::to_string(option));
        }
    };
    using List = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;
    List headers(nullptr, curl_slist_free_all);
    for (const std::string& header : request.headers) {
        curl_slist* const longer = curl_slist_append(headers.get(), header.c_str());
        static_cast<void>(headers.release());
        headers.reset(longer);
    }
    List connect_to(nullptr, curl_slist_free_all);

    Response response;
    char reason[CURL_ERROR_SIZE] = "";
    set(CURLOPT_URL, request.url.c_str());
    set(CURLOPT_PATH_AS_IS, 1L);
    set(CURLOPT_PROXY, "");
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_TIMEOUT, static_cast<long>(patience.count()));
    set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
    set(CURLOPT_NOBODY, request.method == "HEAD" ? 1L : 0L);
    set(CURLOPT_HTTPHEADER, headers.get());
    set(CURLOPT_ERRORBUFFER, static_cast<char*>(reason));
    set(CURLOPT_HEADERFUNCTION, take_header);
    set(CURLOPT_HEADERDATA, &response);
    set(CURLOPT_WRITEFUNCTION, take_body);
    set(CURLOPT_WRITEDATA, &response);
    set(CURLOPT_HTTP_VERSION,
        static_cast<long>(request.http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
    if (request.body) {
        set(CURLOPT_POSTFIELDSIZE, static_cast<long>(request.body->size()));
        set(CURLOPT_COPYPOSTFIELDS, request.body->c_str());
    }
    const std::string interface = "host!" + request.from;
    if (!request.from.empty()) {
        set(CURLOPT_INTERFACE, interface.c_str());
    }
    if (request.proxied) {
        set(CURLOPT_HAPROXYPROTOCOL, 1L);
    }
    if (!request.user.empty()) {
        set(CURLOPT_USERPWD, request.user.c_str());
    }
    if (!request.ca.empty()) {
        set(CURLOPT_CAINFO, request.ca.c_str());
        set(CURLOPT_CAPATH, nullptr);
    }
    if (!request.certificate.empty()) {
        set(CURLOPT_SSLCERT, request.certificate.c_str());
        set(CURLOPT_SSLKEY, request.key.c_str());
    }
    if (!request.resolve_to.empty()) {
        connect_to.reset(curl_slist_append(nullptr, ("::" + request.resolve_to + ":").c_str()));
        set(CURLOPT_CONNECT_TO, connect_to.get());
    }
    if (const CURLcode code = curl_easy_perform(handle.get()); code != CURLE_OK) {
        response.error = std::string(curl_easy_strerror(code)) + ": " + reason;
    }
    curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &response.status);
    long version = 0;
    curl_easy_getinfo(handle.get(), CURLINFO_HTTP_VERSION, &version);
    if (request.http2 && version != CURL_HTTP_VERSION_2_0) {
        response.error += " HTTP/2 was not negotiated";
    }
    return response;
}

Strings members(const std::optional<std::string>& header)
{
    Strings result = lines_of(replaced(header.value_or(""), ",", "\n"));
    for (std::string& member : result) {
        member.erase(0, member.find_first_not_of(' '));
        member.erase(member.find_last_not_of(' ') + 1);
    }
    std::sort(result.begin(), result.end());
    return result;
}

std::string exchange(int port, std::string_view bytes)
{
    const Descriptor socket = tcp_socket();
    const timeval limit{patience.count(), 0};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (!connect(socket, port)) {
        throw_errno("connect to port " + std::to_string(port));
    }
    while (!bytes.empty()) {
        const ssize_t sent = ::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent < 0) {
            throw_errno("send");
        }
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    std::string received;
    char buffer[4096];
    ssize_t count = 0;
    while ((count = ::recv(socket.get(), buffer, sizeof buffer, 0)) > 0) {
        received.append(buffer, static_cast<std::size_t>(count));
    }
    if (count < 0) {
        throw_errno("the server keeps the connection open, after: " + received);
    }
    return received;
}

}  // namespace hello
