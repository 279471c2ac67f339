use super::*;

#[test]
fn rows_are_read_back_or_not_at_all() {
    let key = Key::new(&[1; 32], &[2; 32]);
    let values = [1, 255, 0, 7];
    let bytes = encoded(&key, &Ok(values.to_vec()));
    let mut out = [9; 4];
    assert_eq!(decoded(&key, &bytes, &mut out), Some(Ok(())));
    assert_eq!(out, values);
    // Who asks for less is content with the beginning.
    let mut less = [9; 3];
    assert_eq!(decoded(&key, &bytes, &mut less), Some(Ok(())));
    assert_eq!(less, values[..3]);

    let unreadable = Unreadable::new(Reason::Truncated, "ends after\nbyte 3\0 é");
    let row = encoded(&key, &Err(unreadable.clone()));
    assert_eq!(decoded(&key, &row, &mut out), Some(Err(unreadable)));

    let mut wrong: Vec<(&str, Key, Vec<u8>, usize)> = vec![
        ("another key", Key::new(&[1; 32], &[3; 32]), bytes.clone(), 4),
        ("more than there is", key, bytes.clone(), 5),
        ("nothing", key, Vec::new(), 4),
    ];
    let signed = |mut bytes: Vec<u8>| {
        bytes.extend(checksum(&key, &bytes));
        bytes
    };
    wrong.push(("another kind", key, signed(vec![7, 0, 0, 0, 0]), 1));
    wrong.push(("another version", key, signed([&[REFUSAL][..], b"0.0.0\0corrupt\0x"].concat()), 1));
    wrong.push((
        "another reason",
        key,
        signed([&[REFUSAL][..], VERSION.as_bytes(), b"\0novel\0x"].concat()),
        1,
    ));
    wrong.push(("no detail", key, signed([&[REFUSAL][..], VERSION.as_bytes(), b"\0corrupt"].concat()), 1));
    for index in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[index] ^= 0x10;
        wrong.push(("a flipped bit", key, flipped, 4));
        wrong.push(("cut off", key, bytes[..index].to_vec(), 4));
    }
    for (what, key, bytes, width) in wrong {
        assert_eq!(decoded(&key, &bytes, &mut vec![0; width]), None, "{what}");
    }
}

/// A store of an earlier version: its rows are gone, its file is used again.
#[test]
fn the_table_of_an_earlier_version_makes_room() {
    let folder = tempfile::tempdir().unwrap();
    let database = builder(ConcurrencyMode::SingleWriter).create(folder.path().join(FILE_NAME)).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(FORMER_TABLE).unwrap().insert(&[1; 64], &[2_u8; 5_000][..]).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let store = Store::open(folder.path());
    assert_eq!((store.mode(), store.take_notices()), (Mode::Writing, Vec::new()));
    assert_eq!(store.close(), Vec::new());
    assert_eq!(status(folder.path()).entries, Some(0));
    let database = builder(ConcurrencyMode::SingleWriter).open(folder.path().join(FILE_NAME)).unwrap();
    let tables = database.begin_read().unwrap().list_tables().unwrap().count();
    assert_eq!(tables, 1);
}
