#include "process.h"

#include <cstdint>
#include <cstring>

#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace ringfence {
namespace {

int trimObject(dl_phdr_info* info, std::size_t, void*) {
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const auto& header = info->dlpi_phdr[i];
    // Never a writable segment: what relocation wrote into it exists only in memory.
    if (header.p_type != PT_LOAD || (header.p_flags & PF_W) != 0) continue;
    const std::uintptr_t from = (info->dlpi_addr + header.p_vaddr + page - 1) / page * page;
    const std::uintptr_t to = (info->dlpi_addr + header.p_vaddr + header.p_filesz) / page * page;
    if (to > from) madvise(reinterpret_cast<void*>(from), to - from, MADV_DONTNEED);
  }
  return 0;
}

}  // namespace

bool hardenProcess() {
  const rlimit none{0, 0};
  return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         setrlimit(RLIMIT_CORE, &none) == 0;
}

void limitDescriptors(unsigned long wanted) {
  const rlimit exactly{wanted, wanted};
  if (setrlimit(RLIMIT_NOFILE, &exactly) == 0) return;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

void trimResident() {
  malloc_trim(0);
  dl_iterate_phdr(trimObject, nullptr);
}

int openDoor(std::string_view path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) return -1;
  std::memcpy(address.sun_path, path.data(), path.size());
  const int door = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (door < 0) return -1;
  unlink(address.sun_path);
  // Nobody may come in between bind and chmod.
  const mode_t before = umask(0177);
  const int bound = bind(door, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  umask(before);
  if (bound == 0 && chmod(address.sun_path, 0600) == 0 && listen(door, 4) == 0) return door;
  close(door);
  return -1;
}

int acceptAt(int door, std::uint32_t user) {
  for (int tries = 0; tries < 4; tries++) {
    const int peer = accept4(door, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (peer < 0) return -1;
    ucred credentials{};
    socklen_t length = sizeof credentials;
    if (getsockopt(peer, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0 &&
        (credentials.uid == user || credentials.uid == 0)) {
      return peer;
    }
    close(peer);
  }
  return -1;
}

bool inheritDescriptor(int descriptor) {
  const int flags = fcntl(descriptor, F_GETFD);
  return flags >= 0 && fcntl(descriptor, F_SETFD, flags & ~FD_CLOEXEC) == 0;
}

}  // namespace ringfence
