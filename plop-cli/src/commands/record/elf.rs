//! Which dynamic loader a program's file asks for: whether a library can be loaded into it.

use std::fs::File;
use std::os::unix::fs::FileExt;

/// What a file is to the dynamic loader.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// Not an ELF file.
    Other,
    /// A program for another processor, or of another word size.
    Foreign,
    /// A program that no loader prepares.
    Static,
    /// A program that the loader of this name prepares.
    Dynamic(Vec<u8>),
}

/// The number of this processor in ELF files.
const MACHINE: u16 = if cfg!(target_arch = "aarch64") {
    183
} else {
    62
};

/// Program header: the loader's name.
const PT_INTERP: u32 = 3;

/// Looks at a file. What cannot be read is something else.
pub(super) fn kind(file: &File) -> Kind {
    let mut head = [0; 64];
    if file.read_exact_at(&mut head, 0).is_err() || !head.starts_with(b"\x7fELF") {
        return Kind::Other;
    }
    let half = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
    // 64 bits, little endian.
    if head[4..6] != [2, 1] || half(18) != MACHINE {
        return Kind::Foreign;
    }
    let offset = word(&head, 32);
    let (size, count) = (u64::from(half(54)), u64::from(half(56)));
    for n in 0..count {
        let mut header = [0; 56];
        let Some(at) = size.checked_mul(n).and_then(|at| at.checked_add(offset)) else {
            break;
        };
        if file.read_exact_at(&mut header, at).is_err() {
            break;
        }
        if u32::from_le_bytes([header[0], header[1], header[2], header[3]]) == PT_INTERP {
            let mut name = vec![0; word(&header, 32).min(4096) as usize];
            let read = file.read_exact_at(&mut name, word(&header, 8));
            name.truncate(
                name.iter()
                    .position(|byte| *byte == 0)
                    .unwrap_or(name.len()),
            );
            return match read {
                Ok(()) => Kind::Dynamic(name),
                Err(_) => Kind::Static,
            };
        }
    }
    Kind::Static
}

fn word(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn kind_of(bytes: &[u8]) -> Kind {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        kind(&file)
    }

    /// A file with one program header, of this type, whose contents stand behind it.
    fn elf(header: u32, contents: &[u8]) -> Vec<u8> {
        let mut file = vec![0; 120];
        file[..6].copy_from_slice(b"\x7fELF\x02\x01");
        file[18..20].copy_from_slice(&MACHINE.to_le_bytes());
        file[32..40].copy_from_slice(&64u64.to_le_bytes());
        file[54..56].copy_from_slice(&56u16.to_le_bytes());
        file[56..58].copy_from_slice(&1u16.to_le_bytes());
        file[64..68].copy_from_slice(&header.to_le_bytes());
        file[72..80].copy_from_slice(&120u64.to_le_bytes());
        file[96..104].copy_from_slice(&(contents.len() as u64).to_le_bytes());
        [&file, contents].concat()
    }

    #[test]
    fn the_loader_of_a_program_is_found() {
        let musl = elf(PT_INTERP, b"/lib/ld-musl-x86_64.so.1\0");
        assert_eq!(
            kind_of(&musl),
            Kind::Dynamic(b"/lib/ld-musl-x86_64.so.1".to_vec())
        );
        assert_eq!(kind_of(&elf(1, b"")), Kind::Static);
        let mut small = musl.clone();
        small[4] = 1;
        assert_eq!(kind_of(&small), Kind::Foreign);
        assert_eq!(kind_of(b"#!/bin/sh\n"), Kind::Other);
        let own = File::open("/proc/self/exe").unwrap();
        assert!(matches!(kind(&own), Kind::Dynamic(name) if name.starts_with(b"/")));
    }

    #[test]
    fn a_broken_file_is_no_harm() {
        let whole = elf(PT_INTERP, b"/lib/x\0");
        for end in 0..whole.len() {
            kind_of(&whole[..end]);
        }
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 0xff;
            kind_of(&changed);
        }
    }
}
