// SPDX-License-Identifier: Apache-2.0
#include "engine/agent/serve.h"

#include "engine/agent/ask.h"
#include "engine/agent/deploy_log.h"
#include "engine/agent/earlier.h"
#include "engine/agent/line_reader.h"
#include "engine/agent/output_channel.h"
#include "engine/agent/prepare.h"
#include "engine/agent/requests.h"
#include "engine/agent/status.h"
#include "engine/agent/teller.h"
#include "engine/agent/version.h"
#include "engine/base/error.h"

#include <algorithm>

namespace belay::agent {

namespace {

class Server {
public:
  Server(const Host& host, OutputChannel& out) : host_(host), teller_(out, host) {}

  ReplyBody handle(const RequestBody& body) {
    return std::visit([this](const auto& request) { return on(request); }, body);
  }

private:
  ReplyBody on(const PrepareRequest& request) {
    auto prepared = prepare(request, host_);
    if (const auto* status = std::get_if<TransactionStatus>(&prepared)) {
      teller_.follow({host_.state_directory, status->transaction}, {});
      return *status;
    }
    return std::get<Refusal>(prepared);
  }

  ReplyBody on(const StateRequest& request) {
    return with(request.transaction, [&](const TransactionFiles& files, const Snapshot&) {
      ensure_keeper(files, host_);
      const auto now = take_snapshot(files, host_.clock); // a day old, it may just have been swept
      return now ? ReplyBody(status_with_earlier(*now, host_))
                 : unknown_transaction(request.transaction);
    });
  }

  ReplyBody on(const LogRequest& request) {
    if (!is_transaction_id(request.transaction)) {
      return unknown_transaction(request.transaction);
    }
    const auto log = deploy_log({host_.state_directory, request.transaction});
    const auto offset = static_cast<std::size_t>(std::max<std::int64_t>(0, request.offset));
    return log ? ReplyBody(LogPart{std::string(log_part(*log, offset))})
               : unknown_transaction(request.transaction);
  }

  ReplyBody on(const ConfirmRequest& request);
  ReplyBody on(const ActivateRequest& request) { return ask(request); }
  ReplyBody on(const AbandonRequest& request) { return ask(request); }
  ReplyBody on(const FinishRequest& request) { return ask(request); }
  ReplyBody on(const RevokeRequest& request);

  template <class Function> ReplyBody with(const std::string& transaction, Function function);
  template <class T> ReplyBody ask(const T& request);

  const Host& host_;
  Teller teller_;
};

/// Calls `function` with a transaction that exists, and follows it from here on.
template <class Function>
ReplyBody Server::with(const std::string& transaction, Function function) {
  if (!is_transaction_id(transaction)) {
    return unknown_transaction(transaction);
  }
  const TransactionFiles files(host_.state_directory, transaction);
  const auto snapshot = take_snapshot(files, host_.clock);
  if (!snapshot) {
    return unknown_transaction(transaction);
  }
  try {
    RequestQueue(files).touch(host_.clock.now(), boot_id());
  } catch (const Error&) { // a full disk: a keeper that ends sooner is no reason to say nothing
  }
  teller_.follow(files, {.output_from_start = false});
  return function(files, *snapshot);
}

template <class T> ReplyBody Server::ask(const T& request) {
  return with(request.transaction,
              [&](const TransactionFiles& files, const Snapshot& snapshot) -> ReplyBody {
                note_told(snapshot.view, host_);
                constexpr bool is_about_the_end =
                    std::is_same_v<T, FinishRequest> || std::is_same_v<T, AbandonRequest>;
                auto reply = snapshot.view.closed
                                 ? ReplyBody(unknown_transaction(request.transaction))
                                 : ask_keeper(files, host_, request);
                // Also where it ended while we asked: that is what was wanted.
                const auto* refusal = std::get_if<Refusal>(&reply);
                const bool over =
                    refusal != nullptr && refusal->reason == unknown_transaction("").reason;
                return over && is_about_the_end ? ReplyBody(Accepted{}) : reply;
              });
}

ReplyBody Server::on(const ConfirmRequest& request) {
  return with(request.transaction,
              [&](const TransactionFiles& files, const Snapshot& before) -> ReplyBody {
                const auto index = before.record.index_of(request.profile);
                if (!index) {
                  return Refusal{"protocol", "there is no such profile in this transaction", {}};
                }
                decide_for_confirmed(files, host_, *index);
                const auto after = take_snapshot(files, host_.clock);
                if (!after) {
                  return unknown_transaction(request.transaction);
                }
                const auto& status = after->profiles[*index];
                return Decision{status.state, status};
              });
}

ReplyBody Server::on(const RevokeRequest& request) {
  auto reply = ask(request);
  // One that is back already will not change again: whoever asks twice is told twice.
  with(request.transaction, [&](const TransactionFiles&, const Snapshot& now) {
    const auto index = now.record.index_of(request.profile);
    const auto state = index ? now.profiles[*index].state : State::prepared;
    if (is_final(state) && state != State::confirmed && state != State::failed) {
      teller_.tell_again(request.transaction, request.profile);
    }
    return ReplyBody(Accepted{});
  });
  return reply;
}

ReplyBody answer(Server& server, const RequestBody& body) {
  try {
    return server.handle(body);
  } catch (const Error& error) {
    return Refusal{"system", error.message(), {}};
  } catch (const std::exception& error) {
    return Refusal{"system", error.what(), {}};
  }
}

Reply answer_line(Server& server, std::string_view line) {
  try {
    const auto request = decode_request(line);
    return {request.id, answer(server, request.body)};
  } catch (const Error& error) {
    return {id_of_request(line), Refusal{"protocol", error.message(), {}}};
  }
}

} // namespace

int serve(int in, int out_fd, const Host& host) {
  OutputChannel out(out_fd);
  if (!out.send(Hello{.version = version,
                      .system = host.system,
                      .user = host.user,
                      .uid = host.uid,
                      .detach = std::string(name_of(host.detachment)),
                      .state_id = identity_of(host.state_directory, boot_id())})) {
    return 1;
  }
  Server server(host, out);
  LineReader lines(in, line_limit);
  while (const auto line = lines.next()) {
    if (!out.send(answer_line(server, *line))) {
      return 1;
    }
  }
  return 0;
}

} // namespace belay::agent
