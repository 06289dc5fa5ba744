"""From a project on disk to an ELF, its sizes and the board: PlatformIO and the ELF reader."""
