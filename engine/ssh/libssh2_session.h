// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/ssh/connection.h"
#include "engine/ssh/transport.h"

#include <memory>

namespace belay::ssh {

/// A logged-in Connection. Its channels and its tunnel keep the connection alive by themselves.
class Libssh2Session final : public Session {
public:
  explicit Libssh2Session(std::shared_ptr<Connection> connection)
      : connection_(std::move(connection)) {}

  std::unique_ptr<Channel> exec(const std::string& command, const Wait& wait) override;
  std::unique_ptr<StoreTunnel> open_store_tunnel(const Wait& wait) override;
  void keep_alive() override;
  std::string path() const override { return "direct"; }

private:
  std::shared_ptr<Connection> connection_;
};

} // namespace belay::ssh
