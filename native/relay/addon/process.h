// What the media process does to itself before it opens a socket for media.
#pragma once

namespace ringfence {

// No core dumps, no ptrace by others, no new privileges.
bool hardenProcess();
// So many descriptors, for good; fewer where the limits do not allow it, which root may raise.
void limitDescriptors(unsigned long wanted);
// Gives back pages of code and constants that start-up touched; the kernel brings back the few that are used.
void trimResident();

}  // namespace ringfence
