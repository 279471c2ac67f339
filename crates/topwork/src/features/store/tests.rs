use super::*;

#[test]
fn rows_are_read_back_or_not_at_all() {
    let key = Key::new(&[1; 32], &[2; 32]);
    let values = [1.5, -0.0, f32::MIN_POSITIVE, 1e30];
    let bytes = encoded(&key, &Ok(values.to_vec()));
    let mut out = [9.0; 4];
    assert_eq!(decoded(&key, &bytes, &mut out), Some(Ok(())));
    assert_eq!(out.map(f32::to_bits), values.map(f32::to_bits));

    let unreadable = Unreadable::new(Reason::Truncated, "ends after\nbyte 3\0 é");
    let row = encoded(&key, &Err(unreadable.clone()));
    assert_eq!(decoded(&key, &row, &mut out), Some(Err(unreadable)));

    let mut wrong: Vec<(&str, Key, Vec<u8>, usize)> = vec![
        ("another key", Key::new(&[1; 32], &[3; 32]), bytes.clone(), 4),
        ("another width", key, bytes.clone(), 3),
        ("nothing", key, Vec::new(), 4),
        ("not a number", key, encoded(&key, &Ok(vec![1.0, f32::NAN])), 2),
        ("infinite", key, encoded(&key, &Ok(vec![f32::INFINITY])), 1),
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
        assert_eq!(decoded(&key, &bytes, &mut vec![0.0; width]), None, "{what}");
    }
}
