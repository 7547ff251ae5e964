// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/ssh/remote_command.h"

#include <memory>
#include <string>

namespace belay::ssh {

/// The Session of every transport: a RemoteLink. Its channels and its tunnel keep the link alive by
/// themselves.
class LinkSession final : public Session {
public:
  /// `path`: see Session::path.
  LinkSession(std::shared_ptr<RemoteLink> link, std::string path)
      : link_(std::move(link)), path_(std::move(path)) {}

  std::unique_ptr<Channel> exec(const std::string& command, const Wait& wait) override;
  std::unique_ptr<StoreTunnel> open_store_tunnel(const StoreService& service,
                                                 const Wait& wait) override;
  std::string path() const override { return path_; }

private:
  std::shared_ptr<RemoteLink> link_;
  std::string path_;
};

} // namespace belay::ssh
