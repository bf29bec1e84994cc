/**
 * Numbers of the WASI preview 1 interface: file types, flags, rights, clocks, events. Values only;
 * where they are used is in the files of the calls.
 *
 * @module
 */

/** Type of what a descriptor or a directory entry refers to. */
export const Filetype = {
  UNKNOWN: 0,
  CHARACTER_DEVICE: 2,
  DIRECTORY: 3,
  REGULAR_FILE: 4,
  SYMBOLIC_LINK: 7,
} as const;

/** Flags of a descriptor. */
export const FdFlags = { APPEND: 1, DSYNC: 2, NONBLOCK: 4, RSYNC: 8, SYNC: 16 } as const;

/** All flags of a descriptor. */
export const ALL_FD_FLAGS = 31;

/** How `path_open` opens. */
export const OpenFlags = { CREAT: 1, DIRECTORY: 2, EXCL: 4, TRUNC: 8 } as const;

/** All flags of `path_open`. */
export const ALL_OPEN_FLAGS = 15;

/** Set when a link in the last place of a path is followed. */
export const SYMLINK_FOLLOW = 1;

/** Which times are set, and how. */
export const TimeFlags = { ATIM: 1, ATIM_NOW: 2, MTIM: 4, MTIM_NOW: 8 } as const;

/** What a seek is relative to. */
export const Whence = { SET: 0, CUR: 1, END: 2 } as const;

/** Clocks. */
export const ClockId = { REALTIME: 0, MONOTONIC: 1, PROCESS_CPUTIME: 2, THREAD_CPUTIME: 3 } as const;

/** What `poll_oneoff` waits for. */
export const EventType = { CLOCK: 0, FD_READ: 1, FD_WRITE: 2 } as const;

/** What a descriptor may be used for. The 30 rights fit a number; on the wire they are a u64. */
export const Rights = {
  FD_DATASYNC: 1 << 0,
  FD_READ: 1 << 1,
  FD_SEEK: 1 << 2,
  FD_FDSTAT_SET_FLAGS: 1 << 3,
  FD_SYNC: 1 << 4,
  FD_TELL: 1 << 5,
  FD_WRITE: 1 << 6,
  FD_ADVISE: 1 << 7,
  FD_ALLOCATE: 1 << 8,
  PATH_CREATE_DIRECTORY: 1 << 9,
  PATH_CREATE_FILE: 1 << 10,
  PATH_LINK_SOURCE: 1 << 11,
  PATH_LINK_TARGET: 1 << 12,
  PATH_OPEN: 1 << 13,
  FD_READDIR: 1 << 14,
  PATH_READLINK: 1 << 15,
  PATH_RENAME_SOURCE: 1 << 16,
  PATH_RENAME_TARGET: 1 << 17,
  PATH_FILESTAT_GET: 1 << 18,
  PATH_FILESTAT_SET_SIZE: 1 << 19,
  PATH_FILESTAT_SET_TIMES: 1 << 20,
  FD_FILESTAT_GET: 1 << 21,
  FD_FILESTAT_SET_SIZE: 1 << 22,
  FD_FILESTAT_SET_TIMES: 1 << 23,
  PATH_SYMLINK: 1 << 24,
  PATH_REMOVE_DIRECTORY: 1 << 25,
  PATH_UNLINK_FILE: 1 << 26,
  POLL_FD_READWRITE: 1 << 27,
  SOCK_SHUTDOWN: 1 << 28,
  SOCK_ACCEPT: 1 << 29,
} as const;

/** All rights. */
export const ALL_RIGHTS = 2 ** 30 - 1;

/** Rights that mean something on a regular file. */
export const FILE_RIGHTS: number = Rights.FD_DATASYNC | Rights.FD_READ | Rights.FD_SEEK |
  Rights.FD_FDSTAT_SET_FLAGS | Rights.FD_SYNC | Rights.FD_TELL | Rights.FD_WRITE | Rights.FD_ADVISE |
  Rights.FD_ALLOCATE | Rights.FD_FILESTAT_GET | Rights.FD_FILESTAT_SET_SIZE |
  Rights.FD_FILESTAT_SET_TIMES | Rights.POLL_FD_READWRITE;

/** Rights that mean something on a directory. */
export const DIRECTORY_RIGHTS: number = ALL_RIGHTS &
  ~(Rights.FD_READ | Rights.FD_WRITE | Rights.FD_SEEK | Rights.FD_TELL | Rights.FD_ALLOCATE |
    Rights.FD_FILESTAT_SET_SIZE | Rights.SOCK_SHUTDOWN | Rights.SOCK_ACCEPT);

/** Rights of standard streams beside reading or writing. */
export const STREAM_RIGHTS: number = Rights.FD_DATASYNC | Rights.FD_SYNC | Rights.FD_FDSTAT_SET_FLAGS |
  Rights.FD_FILESTAT_GET | Rights.POLL_FD_READWRITE;

/** Most bytes of a path, as in POSIX. */
export const PATH_MAX = 4096;

/** Most bytes of a name in a path, as in POSIX. */
export const NAME_MAX = 255;

/** Most links that one path may lead through, as on Linux. */
export const LINKS_MAX = 40;

/** Most buffers of one read or write, as on Linux. */
export const IOV_MAX = 1024;

/** Most names looked up for one path, links included: more is not a path but an attack on the host's time. */
export const LOOKUPS_MAX = 4096;
