// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/agent/follower.h"
#include "engine/agent/host.h"
#include "engine/agent/output_channel.h"

#include <condition_variable>
#include <list>
#include <mutex>
#include <string>
#include <thread>

// serve's second thread: says that it is alive, tells what happens to the transactions that this
// connection has to do with, and gives a new keeper to one whose keeper died.

namespace belay::agent {

class Teller {
public:
  Teller(OutputChannel& out, const Host& host);
  ~Teller();
  Teller(const Teller&) = delete;
  Teller& operator=(const Teller&) = delete;

  /// Any thread. Following a transaction twice is following it once.
  void follow(const TransactionFiles& files, Follower::Options options);
  void tell_again(const std::string& transaction, const std::string& profile);

private:
  void run();
  bool tell_news();
  void look_after_keepers();

  OutputChannel& out_;
  const Host& host_;
  std::mutex mutex_; ///< of what stands below
  std::condition_variable wake_;
  std::list<Follower> followers_;
  bool stopping_ = false;
  std::thread thread_; ///< the last member: it uses the others
};

} // namespace belay::agent
