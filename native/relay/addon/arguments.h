// Arguments of one call from JavaScript. A wrong type is our own mistake: it throws, and everything after it reads as empty.
#pragma once
#include <node_api.h>

#include "bytes.h"

namespace ringfence {

class Arguments {
 public:
  Arguments(napi_env env, napi_callback_info info) : env_(env) {
    napi_get_cb_info(env, info, &count_, values_, nullptr, nullptr);
  }

  [[nodiscard]] napi_env env() const { return env_; }
  [[nodiscard]] bool failed() const { return failed_; }

  double number(std::size_t i) {
    double value = 0;
    if (i >= count_ || napi_get_value_double(env_, values_[i], &value) != napi_ok) fail();
    return value;
  }
  std::uint32_t u32(std::size_t i) { return static_cast<std::uint32_t>(number(i)); }
  Bytes bytes(std::size_t i) {
    napi_typedarray_type type{};
    std::size_t length = 0;
    void* data = nullptr;
    if (i >= count_ || napi_get_typedarray_info(env_, values_[i], &type, &length, &data, nullptr, nullptr) != napi_ok ||
        type != napi_uint8_array) {
      fail();
      return {};
    }
    return {static_cast<std::uint8_t*>(data), length};
  }
  // What an external holds; whoever made it knows of what type it is.
  template <typename T>
  T* external(std::size_t i) {
    void* data = nullptr;
    if (i >= count_ || napi_get_value_external(env_, values_[i], &data) != napi_ok) fail();
    return static_cast<T*>(data);
  }

  napi_value throwBadArgument() {
    napi_throw_type_error(env_, "bad-argument", "native relay: wrong argument");
    return nullptr;
  }
  napi_value result(double value) {
    napi_value out = nullptr;
    napi_create_double(env_, value, &out);
    return out;
  }

 private:
  void fail() { failed_ = true; }

  napi_env env_;
  std::size_t count_ = 6;
  napi_value values_[6] = {};
  bool failed_ = false;
};

}  // namespace ringfence
