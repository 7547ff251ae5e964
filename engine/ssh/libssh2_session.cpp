// SPDX-License-Identifier: Apache-2.0
#include "engine/ssh/libssh2_session.h"

#include "engine/ssh/libssh2_channel.h"
#include "engine/ssh/store_tunnel.h"

namespace belay::ssh {

std::unique_ptr<Channel> Libssh2Session::exec(const std::string& command, const Wait& wait) {
  return std::make_unique<Libssh2Channel>(connection_, command, wait);
}

std::unique_ptr<StoreTunnel> Libssh2Session::open_store_tunnel(const Wait& wait) {
  wait.cancel.throw_if_cancelled();
  connection_->throw_if_lost();
  return std::make_unique<Libssh2StoreTunnel>(connection_);
}

void Libssh2Session::keep_alive() {
  connection_->read_ahead();
  connection_->tick();
  connection_->throw_if_lost();
}

} // namespace belay::ssh
