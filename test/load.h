// Clients that ask all the time, over every protocol and on kept and new connections, for pages
// whose body is "message N", and what became of their requests.

#pragma once

#include <curl/curl.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "httpd.h"

namespace hello {

using Clock = std::chrono::steady_clock;

/// How a client asks.
struct Kind {
    const char* name;
    bool tls;
    bool http2;
    bool keep_alive;
    int clients;
};
inline constexpr std::array kinds{
    Kind{"http, HTTP/1.1, keep-alive", false, false, true, 6},
    Kind{"http, HTTP/1.1, new connections", false, false, false, 6},
    Kind{"https, HTTP/1.1, keep-alive", true, false, true, 5},
    Kind{"https, HTTP/1.1, new connections", true, false, false, 5},
    Kind{"https, HTTP/2, keep-alive", true, true, true, 5},
    Kind{"https, HTTP/2, new connections", true, true, false, 5},
};

/// A request without the answer that it had a right to.
struct Loss {
    std::string id;
    Clock::time_point begun;
    Clock::time_point ended;
    std::string why;
};

/// What became of the requests of one kind.
struct Tally {
    long answered = 0;
    long found_closed = 0;  // httpd had closed the idle connection, and curl saw it in time
    long retried = 0;       // curl saw it when it had sent the request: it sent it once more
    long unread = 0;        // httpd closed a new HTTP/2 connection before it read a request
    std::vector<Loss> losses;
};

/// What all clients share.
struct Shared {
    std::string http;
    std::string https;
    Path ca;
    bool many = false;  // each client has an address of its own, from 127.0.1.1 on
    int pace = 1;       // how many times longer the clients think than those of soak_test
    std::atomic<bool> stop{false};
    std::atomic<int> newest{0};  // the newest message that has been configured
    std::mutex mutex;            // of what follows
    std::array<Tally, kinds.size()> tallies;
    std::set<std::string> answered;
};

inline std::size_t take(char* data, std::size_t size, std::size_t count, void* into)
{
    static_cast<std::string*>(into)->append(data, size * count);
    return size * count;
}

inline int read_curl(CURL* /*handle*/, curl_infotype type, char* data, std::size_t size, void* into)
{
    if (type == CURLINFO_TEXT) {
        const std::string_view text(data, size);
        Tally& tally = *static_cast<Tally*>(into);
        if (text.find("retrying a fresh connect") != std::string_view::npos) {
            ++tally.retried;
        } else if (text.find("seems to be dead") != std::string_view::npos) {
            ++tally.found_closed;
        }
    }
    return 0;
}

/// Asks again and again, until it is told to stop.
inline void client(Shared& shared, std::size_t kind_number, int number)
{
    const Kind& kind = kinds.at(kind_number);
    Tally tally;
    std::set<std::string> answered;
    const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> owner(curl_easy_init(),
                                                                    curl_easy_cleanup);
    CURL* const handle = owner.get();
    std::string body;
    char reason[CURL_ERROR_SIZE] = "";
    curl_easy_setopt(handle, CURLOPT_PROXY, "");
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_TIMEOUT, static_cast<long>(patience.count()));
    curl_easy_setopt(handle, CURLOPT_CAINFO, shared.ca.c_str());
    curl_easy_setopt(handle, CURLOPT_CAPATH, nullptr);
    curl_easy_setopt(handle, CURLOPT_HTTP_VERSION,
                     kind.http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(handle, CURLOPT_FORBID_REUSE, kind.keep_alive ? 0L : 1L);
    const std::string from =
        "host!127.0.1." + std::to_string(1 + 8 * kind_number + static_cast<std::size_t>(number));
    if (shared.many) {
        curl_easy_setopt(handle, CURLOPT_INTERFACE, from.c_str());
    }
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, &body);
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, static_cast<char*>(reason));
    curl_easy_setopt(handle, CURLOPT_VERBOSE, 1L);
    curl_easy_setopt(handle, CURLOPT_DEBUGFUNCTION, read_curl);
    curl_easy_setopt(handle, CURLOPT_DEBUGDATA, &tally);
    for (int request = 0; !shared.stop; ++request) {
        std::string id = "k";
        id.append(std::to_string(kind_number)).append("c").append(std::to_string(number));
        id.append("r").append(std::to_string(request)).append(".");
        const std::string url = (kind.tls ? shared.https : shared.http) + "?" + id;
        curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
        body.clear();
        reason[0] = '\0';
        const Clock::time_point begun = Clock::now();
        CURLcode code = CURLE_OK;
        long status = 0;
        for (int attempt = 0; attempt < 3; ++attempt) {
            code = curl_easy_perform(handle);
            long connections = 0;
            curl_easy_getinfo(handle, CURLINFO_NUM_CONNECTS, &connections);
            curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
            const bool no_answer = code != CURLE_OK && status == 0;
            // A child of httpd that is told to end closes an HTTP/2 connection on which there is
            // no stream yet, even when it was made a moment ago: its own doing, with any handler.
            // Such a request was never read, so the access log must not have it twice.
            const bool unread =
                no_answer && kind.http2 && connections == 1 &&
                (code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR || code == CURLE_HTTP2);
            if (!unread && !(no_answer && connections == 0)) {
                break;
            }
            // With HTTP/1.1 curl sends again by itself what met a connection that httpd was just
            // closing, but five times in the life of a handle at most; with HTTP/2, where httpd
            // has said so (GOAWAY), it leaves that to us.
            ++(unread ? tally.unread : tally.retried);
            curl_easy_setopt(handle, CURLOPT_FRESH_CONNECT, 1L);
        }
        curl_easy_setopt(handle, CURLOPT_FRESH_CONNECT, 0L);
        long version = 0;
        curl_easy_getinfo(handle, CURLINFO_HTTP_VERSION, &version);
        const bool right_version =
            version == (kind.http2 ? CURL_HTTP_VERSION_2_0 : CURL_HTTP_VERSION_1_1);
        const bool right_body = body.starts_with("message ") && std::atoi(body.c_str() + 8) > 0 &&
                                std::atoi(body.c_str() + 8) <= shared.newest;
        if (code == CURLE_OK && status == 200 && right_version && right_body) {
            ++tally.answered;
            answered.insert(id);
        } else {
            tally.losses.push_back({id, begun, Clock::now(),
                                    std::string(curl_easy_strerror(code)) + " " + reason + " " +
                                        std::to_string(status) + " " + body});
        }
        // A client that thinks leaves its connection idle; and the ports of those who open a new
        // one each time must not run out.
        std::this_thread::sleep_for(
            std::chrono::milliseconds(shared.pace * ((request * 7 + number) % 20)));
    }
    const std::lock_guard lock(shared.mutex);
    Tally& sum = shared.tallies.at(kind_number);
    sum.answered += tally.answered;
    sum.found_closed += tally.found_closed;
    sum.retried += tally.retried;
    sum.unread += tally.unread;
    sum.losses.insert(sum.losses.end(), tally.losses.begin(), tally.losses.end());
    shared.answered.merge(answered);
}

/// The clients of all kinds, while this object lives.
class Clients {
  public:
    explicit Clients(Shared& shared) : shared_(shared)
    {
        curl_global_init(CURL_GLOBAL_DEFAULT);
        for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
            for (int number = 0; number < kinds.at(kind).clients; ++number) {
                threads_.emplace_back(client, std::ref(shared_), kind, number);
            }
        }
    }
    ~Clients() { stop(); }
    Clients(const Clients&) = delete;
    Clients& operator=(const Clients&) = delete;

    std::size_t count() const { return threads_.size(); }
    void stop()
    {
        shared_.stop = true;
        for (std::thread& thread : threads_) {
            if (thread.joinable()) {
                thread.join();
            }
        }
    }

  private:
    Shared& shared_;
    std::vector<std::thread> threads_;
};

}  // namespace hello
