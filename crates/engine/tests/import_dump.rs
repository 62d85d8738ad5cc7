//! temp
#[test]
fn dump() {
    let name = std::env::var("DUMP").unwrap();
    let file = occlude_engine::onnx::read(std::path::Path::new(&name)).unwrap();
    let o = occlude_engine::onnx::ImportOptions { default_spatial: Some(vec![224, 224]), ..Default::default() };
    let g = file.import(&o).unwrap();
    let mut needed = vec![false; g.tensors.len()];
    g.outputs.iter().for_each(|i| needed[i.0] = true);
    let mut lines = vec![];
    for n in g.nodes.iter().rev() {
        if !needed[n.output.0] { continue; }
        n.inputs.iter().for_each(|i| needed[i.0] = true);
        let t = g.tensor(n.output);
        let op: String = format!("{:?}", n.op).chars().take(60).collect();
        lines.push(format!("{:?} -> {} {:?} {:?} {} | {}", n.inputs.iter().map(|i| i.0).collect::<Vec<_>>(), n.output.0, t.shape, t.order, op, n.label));
    }
    for l in lines.iter().rev() { println!("{l}"); }
}
