// What the media process does to itself before it opens a socket for media.
#pragma once
#include <cstdint>
#include <string_view>

namespace ringfence {

// No core dumps, no ptrace by others, no new privileges.
bool hardenProcess();
// So many descriptors, for good; fewer where the limits do not allow it, which root may raise.
void limitDescriptors(unsigned long wanted);
// Gives back pages of code and constants that start-up touched; the kernel brings back the few that are used.
void trimResident();

// A listening UNIX socket at that path, mode 0600; -1 where it cannot be, errno says why.
int openDoor(std::string_view path);
// One who waits at the door and runs as that user or as root, as the kernel says; -1 where nobody does. Others are hung up on.
int acceptAt(int door, std::uint32_t user);
// The descriptor outlives execve.
bool inheritDescriptor(int descriptor);

}  // namespace ringfence
