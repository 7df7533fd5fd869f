#include "process.h"

#include <cstdint>

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
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

}  // namespace ringfence
