// SPDX-License-Identifier: Apache-2.0
#include "reporters/web_url.h"

#include "engine/base/error.h"
#include "tests/catch.h"

#include <map>

using namespace belay;
using namespace belay::reporters;

namespace {

Environment environment_of(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
}

std::string proxy_of(const char* url, std::map<std::string, std::string> variables) {
  const auto proxy = proxy_for(parse_web_url(url), environment_of(std::move(variables)));
  return proxy ? proxy->endpoint() : "none";
}

} // namespace

TEST_CASE("URLs are taken apart") {
  const WebUrl url = parse_web_url(" HTTPS://me:pa@ss@Hooks.Example:8443/a/b?c=d#e\n");
  CHECK(url.scheme == "https");
  CHECK(url.user == "me");
  CHECK(url.password == "pa@ss");
  CHECK(url.host == "hooks.example");
  CHECK(url.port == 8443);
  CHECK(url.target == "/a/b?c=d");
  CHECK(url.endpoint() == "https://hooks.example:8443");
  CHECK(parse_web_url("http://h").target == "/");
  CHECK(parse_web_url("http://h?x=y").target == "/?x=y");
  CHECK(parse_web_url("http://[::1]:80/x").endpoint() == "http://[::1]");
  CHECK(parse_web_url("http://[::1]:8080").port == 8080);
  CHECK(parse_web_url("https://h").port == 443);
}

TEST_CASE("what is no URL is refused without showing it") {
  for (const char* text :
       {"", "hooks.example/secret", "ftp://h/secret", "https:///secret", "https://h:0/secret",
        "https://h:99999/secret", "https://h:x/secret", "https://[::1/secret",
        "https://[::1]x/secret", "https://a b/secret", "https://h/secret\r\nHost: x"}) {
    INFO(text);
    try {
      parse_web_url(text);
      FAIL("was accepted");
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::usage);
      CHECK(error.message().find("secret") == std::string::npos);
    }
  }
}

TEST_CASE("proxies come from the environment") {
  CHECK(proxy_of("https://h/", {}) == "none");
  CHECK(proxy_of("https://h/", {{"https_proxy", "http://p:3128"}}) == "http://p:3128");
  CHECK(proxy_of("https://h/", {{"HTTPS_PROXY", "p:3128"}}) == "http://p:3128");
  CHECK(proxy_of("http://h/", {{"HTTP_PROXY", "http://p:3128"}}) == "none");
  CHECK(proxy_of("http://h/", {{"http_proxy", "http://p:3128"}}) == "http://p:3128");
  CHECK_THROWS_AS(proxy_of("https://h/", {{"https_proxy", "socks5://p:1"}}), Error);
}

TEST_CASE("proxies are never for loopback nor for what no_proxy names") {
  const std::map<std::string, std::string> proxy{{"https_proxy", "http://p:3128"},
                                                 {"no_proxy", "one.example, .two.example"}};
  for (const char* url : {"https://localhost/", "https://127.0.0.1/", "https://127.9.9.9:1/",
                          "https://[::1]/", "https://a.localhost/", "https://one.example/",
                          "https://x.one.example/", "https://x.two.example/"}) {
    INFO(url);
    CHECK(proxy_of(url, proxy) == "none");
  }
  CHECK(proxy_of("https://127.0.0.1.example/", proxy) == "http://p:3128");
  CHECK(proxy_of("https://notone.example/", proxy) == "http://p:3128");
  CHECK(proxy_of("https://h/", {{"https_proxy", "http://p:1"}, {"NO_PROXY", "*"}}) == "none");
}
