// SPDX-License-Identifier: Apache-2.0
#include "reporters/http_post.h"

#include "engine/base/thread.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <httplib.h>
#include <mutex>

namespace belay::reporters {

namespace {

/// Stops a client that is in a request when the wait is over: httplib's own timeouts begin anew
/// with each byte, so that a server which drips could hold us for ever.
class Watchdog {
public:
  Watchdog(httplib::Client& client, const Wait& wait)
      : thread_(start_thread("a request's time limit",
                             [this, &client, wait] { watch(client, wait); })) {}
  ~Watchdog() {
    {
      const std::lock_guard lock(mutex_);
      done_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  bool barked() const { return barked_; }

private:
  void watch(httplib::Client& client, const Wait& wait) {
    std::unique_lock lock(mutex_);
    // stop() before the connection stands has no effect: it is said again until the request ends.
    while (!changed_.wait_for(lock, std::chrono::milliseconds(20), [this] { return done_; }))
      if (wait.expired() || wait.cancel.cancelled()) {
        barked_ = true;
        client.stop();
      }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool done_ = false; ///< guarded by mutex_
  std::atomic<bool> barked_ = false;
  std::thread thread_;
};

std::optional<Duration> seconds_of(const std::string& text) {
  long long number = 0;
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, number);
  if (text.empty() || parsed.ec != std::errc() || parsed.ptr != end || number < 0)
    return std::nullopt; // the form of a date is not worth a calendar: the usual delay serves
  return std::chrono::seconds(std::min(number, 86'400LL));
}

void set_up(httplib::Client& client, const HttpRequest& request, const Wait& wait) {
  const Duration left = wait.left();
  const auto at_most = [&](Duration duration) {
    return std::max(std::min(duration, left), Duration(1));
  };
  client.set_connection_timeout(at_most(request.connect_timeout));
  client.set_read_timeout(at_most(std::chrono::seconds(60)));
  client.set_write_timeout(at_most(std::chrono::seconds(60)));
  client.set_follow_location(false);
  client.set_keep_alive(false);
  client.enable_server_certificate_verification(true);
  if (!request.url.user.empty())
    client.set_basic_auth(request.url.user, request.url.password);
  if (!request.proxy)
    return;
  client.set_proxy(request.proxy->host, request.proxy->port);
  if (!request.proxy->user.empty())
    client.set_proxy_basic_auth(request.proxy->user, request.proxy->password);
}

/// Notes status and Retry-After as soon as they are known; of the answer's body it takes a little.
httplib::Request request_of(const HttpRequest& request, HttpResponse& response) {
  httplib::Request post;
  post.method = "POST";
  post.path = request.url.target;
  for (const auto& [name, value] : request.headers)
    post.set_header(name, value);
  post.set_header("Content-Type", "application/json");
  post.body = request.body;
  post.response_handler = [&response](const httplib::Response& answer) {
    response.status = answer.status;
    response.retry_after = seconds_of(answer.get_header_value("Retry-After"));
    return true;
  };
  std::size_t taken = 0;
  post.content_receiver = [taken](const char*, std::size_t size, auto, auto) mutable {
    constexpr std::size_t enough = 64 * 1024;
    taken += size;
    return taken < enough;
  };
  return post;
}

} // namespace

HttpResponse HttplibPost::post(const HttpRequest& request, const Wait& wait) {
  httplib::Client client(request.url.endpoint());
  set_up(client, request, wait);
  HttpResponse response;
  const httplib::Request post = request_of(request, response);
  const Watchdog watchdog(client, wait);
  const httplib::Result result = client.send(post);
  if (response.status == 0 && result)
    response.status = result->status;
  if (response.status == 0)
    response.error = watchdog.barked() ? "no answer in time" : httplib::to_string(result.error());
  return response;
}

} // namespace belay::reporters
