// SPDX-License-Identifier: Apache-2.0
#include "reporters/display_width.h"

#include "tests/catch.h"

using namespace belay::reporters;

namespace {

const std::string arrow = "\xe2\x86\x92";
const std::string ellipsis = "\xe2\x80\xa6";
const std::string ideograph = "\xe6\x9c\x8d";
const std::string acute = "\xcc\x81"; // combining
const std::string rocket = "\xf0\x9f\x9a\x80";

} // namespace

TEST_CASE("text takes the columns that a terminal gives it") {
  CHECK(columns_of("") == 0);
  CHECK(columns_of("a" + arrow + "b") == 3);
  CHECK(columns_of(ideograph + ideograph) == 4);
  CHECK(columns_of("e" + acute) == 1);
  CHECK(columns_of(rocket) == 2);
  CHECK(columns_of("\xe2\x80\x8b\xe2\x80\xae") == 0); // zero width space, right-to-left override
  CHECK(columns_of("\xef\xbf\xbd") == 1);             // the mark of what was no UTF-8
}

TEST_CASE("text is cut to columns and shows that it was") {
  CHECK(cut_to("abc", 3) == "abc");
  CHECK(cut_to("abcdef", 4) == "abc" + ellipsis);
  CHECK(cut_to(arrow + arrow + arrow, 2) == arrow + ellipsis);
  CHECK(cut_to(ideograph + ideograph, 3) == ideograph + ellipsis);
  CHECK(cut_to(ideograph + ideograph + ideograph, 4) == ideograph + ellipsis); // never a half one
  CHECK(cut_to("e" + acute + "tat", 3) == "e" + acute + "t" + ellipsis);
  CHECK(cut_to("abc", 1) == ellipsis);
  CHECK(cut_to("abc", 0).empty());
}

TEST_CASE("what is cut off in the middle of a character is survived") {
  CHECK(columns_of("\xe6\x9c") <= 2);
  CHECK(columns_of("\xf0") <= 2);
  CHECK(cut_to("ab\xf0\x9f", 2).size() <= 5);
}

TEST_CASE("what is not seen but changes what is can be taken out") {
  CHECK(without_hidden("ab\xe2\x80\xae"
                       "cd\xe2\x81\xa6"
                       "e\xef\xbb\xbf") == "abcde");
  CHECK(without_hidden("e" + acute + ideograph) == "e" + acute + ideograph);
}
