// SPDX-License-Identifier: Apache-2.0
#include "engine/ssh/link_session.h"

#include "engine/ssh/command_channel.h"
#include "engine/ssh/store_tunnel.h"

namespace belay::ssh {

std::unique_ptr<Channel> LinkSession::exec(const std::string& command, const Wait& wait) {
  return std::make_unique<CommandChannel>(link_->start(command, wait));
}

std::unique_ptr<StoreTunnel> LinkSession::open_store_tunnel(const StoreService& service,
                                                            const Wait& wait) {
  wait.cancel.throw_if_cancelled();
  link_->throw_if_lost();
  return std::make_unique<LinkStoreTunnel>(link_, service);
}

} // namespace belay::ssh
