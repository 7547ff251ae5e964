// SPDX-License-Identifier: Apache-2.0
#include "engine/base/file.h"
#include "reporters/http_post.h"
#include "reporters/webhook.h"
#include "reporters/webhook_signature.h"
#include "tests/catch.h"
#include "tests/unit/reporters/sample_events.h"

#include <condition_variable>
#include <cstdlib>
#include <future>
#include <httplib.h>
#include <mutex>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <thread>

// Against a real receiver on 127.0.0.1.

using namespace belay;
using namespace belay::reporters;
using namespace belay::test;
using namespace std::chrono_literals;

namespace {

const std::string secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Runs a server for as long as it lives.
template <typename Server> class Running {
public:
  template <typename... Arguments>
  explicit Running(httplib::Server::Handler handler, Arguments... arguments)
      : server_(arguments...) {
    server_.Post(".*", std::move(handler));
    port_ = server_.bind_to_any_port("127.0.0.1");
    REQUIRE(port_ > 0);
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running())
      std::this_thread::yield();
  }
  ~Running() {
    server_.stop();
    thread_.join();
  }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

private:
  Server server_;
  int port_ = 0;
  std::thread thread_;
};

using Receiver = Running<httplib::Server>;

HttpResponse post(const std::string& url, Duration total = 10s) {
  HttpRequest request;
  request.url = parse_web_url(url);
  request.headers = {{"webhook-id", "1"}};
  request.body = "{}";
  return HttplibPost().post(request, Wait::at_most(total));
}

/// As a receiver checks it.
bool is_signed(const httplib::Request& request) {
  return request.get_header_value("webhook-signature") ==
         webhook_signature({webhook_key(secret)}, request.get_header_value("webhook-id"),
                           request.get_header_value("webhook-timestamp"), request.body);
}

int run(const std::string& command) {
  return std::system(command.c_str());
}

} // namespace

TEST_CASE("a message arrives signed, after a 500") {
  std::mutex mutex;
  std::vector<httplib::Request> requests;
  const Receiver receiver([&](const httplib::Request& request, httplib::Response& response) {
    const std::lock_guard lock(mutex);
    requests.push_back(request);
    response.status = requests.size() == 1 ? 500 : 200;
  });
  WebhookOptions options;
  options.url = "http://" + receiver.address() + "/hook?token=x";
  options.allow_http = true;
  options.secrets = {secret};
  options.user_agent = "belay/0.1.0";
  std::vector<event::Draft> told;
  WebhookWorld world = real_webhook_world(1, [&](event::Draft d) { told.push_back(std::move(d)); });
  world.jitter = [](Duration) { return Duration::zero(); };
  {
    WebhookReporter reporter(options, std::move(world));
    const auto event = sample(event::RunFinished{});
    reporter.report(event, folded({event}));
    reporter.finish(BootClock::now() + 20s);
  }
  REQUIRE(requests.size() == 2);
  for (httplib::Request& request : requests) {
    CHECK(request.target == "/hook?token=x");
    CHECK(request.get_header_value("Content-Type") == "application/json");
    CHECK(request.get_header_value("User-Agent") == "belay/0.1.0");
    CHECK(is_signed(request));
    request.body += " ";
    CHECK_FALSE(is_signed(request));
  }
  REQUIRE(told.size() == 1);
  CHECK(std::get<event::WebhookDelivered>(told[0].payload).attempts == 2);
}

TEST_CASE("status and Retry-After are read, redirects are not followed") {
  std::atomic<int> calls = 0;
  const Receiver receiver([&](const httplib::Request& request, httplib::Response& response) {
    ++calls;
    if (request.path == "/busy") {
      response.status = 429;
      response.set_header("Retry-After", "17");
    } else if (request.path == "/date") {
      response.status = 503;
      response.set_header("Retry-After", "Fri, 31 Dec 1999 23:59:59 GMT");
    } else if (request.path == "/gone") {
      response.status = 410;
    } else if (request.path == "/moved") {
      response.set_redirect("/elsewhere");
    } else {
      response.set_content(std::string(1 << 20, 'x'), "text/plain");
    }
  });
  const std::string base = "http://" + receiver.address();
  CHECK(post(base + "/busy").status == 429);
  CHECK(post(base + "/busy").retry_after == Duration(17s));
  CHECK(post(base + "/date").status == 503);
  CHECK_FALSE(post(base + "/date").retry_after);
  CHECK(post(base + "/gone").status == 410);
  calls = 0;
  CHECK(post(base + "/moved").status == 302);
  CHECK(calls == 1);
  CHECK(post(base + "/long").status == 200); // and most of the answer is left where it is
}

TEST_CASE("an endpoint that never answers ends with the wait") {
  std::promise<void> over;
  const auto until_over = over.get_future().share();
  const Receiver receiver([&](const httplib::Request&, httplib::Response&) { until_over.wait(); });
  const Instant start = BootClock::now();
  const HttpResponse response = post("http://" + receiver.address() + "/", 300ms);
  CHECK(BootClock::now() - start < 10s);
  CHECK(response.status == 0);
  CHECK_FALSE(response.error.empty());
  over.set_value();
}

TEST_CASE("an endpoint that drips its answer ends with the wait as well") {
  UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  REQUIRE(::bind(listener.get(), generic, size) == 0);
  REQUIRE(::listen(listener.get(), 1) == 0);
  REQUIRE(::getsockname(listener.get(), generic, &size) == 0);
  std::thread server([&] {
    const UniqueFd peer(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    std::string_view next = "HTTP/1.1 200 OK\r\nX-Drip: ";
    pollfd gone{peer.get(), POLLRDHUP, 0};
    while (::send(peer.get(), next.data(), next.size(), MSG_NOSIGNAL) > 0 &&
           ::poll(&gone, 1, 20) == 0)
      next = "x"; // for as long as it is listened to
  });
  const Instant start = BootClock::now();
  const HttpResponse response =
      post("http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/", 300ms);
  CHECK(BootClock::now() - start <
        4s); // the library alone would stay until its header limit, 8 KiB
  CHECK(response.status == 0);
  CHECK(response.error == "no answer in time");
  server.join();
}

TEST_CASE("nobody there") {
  std::string address;
  {
    const Receiver receiver([](const httplib::Request&, httplib::Response&) {});
    address = receiver.address();
  }
  const HttpResponse response = post("http://" + address + "/secret-path");
  CHECK(response.status == 0);
  CHECK_FALSE(response.error.empty());
  CHECK(response.error.find("secret") == std::string::npos);
}

TEST_CASE("a certificate that nobody vouches for is refused, one from the bundle is taken") {
  const TemporaryDirectory folder("/tmp/belay-tls-");
  const std::string key = (folder.path() / "key.pem").string();
  const std::string certificate = (folder.path() / "cert.pem").string();
  if (run("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost "
          "-addext subjectAltName=IP:127.0.0.1,DNS:localhost -keyout '" +
          key + "' -out '" + certificate + "' >/dev/null 2>&1") != 0) {
    WARN("no openssl program here: not checked");
    return;
  }
  std::atomic<int> calls = 0;
  const Running<httplib::SSLServer> receiver(
      [&](const httplib::Request&, httplib::Response&) { ++calls; }, certificate.c_str(),
      key.c_str());
  const HttpResponse refused = post("https://" + receiver.address() + "/");
  CHECK(refused.status == 0);
  CHECK_FALSE(refused.error.empty());
  CHECK(calls == 0);
  ::setenv("SSL_CERT_FILE", certificate.c_str(), 1); // what OpenSSL takes for the system's bundle
  CHECK(post("https://" + receiver.address() + "/").status == 200);
  ::unsetenv("SSL_CERT_FILE");
  CHECK(calls == 1);
}

TEST_CASE("a proxy is used where one is meant") {
  std::vector<std::string> targets;
  const Receiver proxy([&](const httplib::Request& request, httplib::Response&) {
    targets.push_back(request.target);
  });
  HttpRequest request;
  request.url = parse_web_url("http://hooks.example/x");
  request.proxy = parse_web_url("http://" + proxy.address());
  request.body = "{}";
  CHECK(HttplibPost().post(request, Wait::at_most(10s)).status == 200);
  REQUIRE(targets.size() == 1);
  CHECK(targets[0].starts_with("http://hooks.example"));
  CHECK(targets[0].ends_with("/x"));
}
