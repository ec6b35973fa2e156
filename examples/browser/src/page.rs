//! What JavaScript calls. A page has one thread, so nothing here blocks on a device.

use std::cell::RefCell;
use std::rc::Rc;

use burn::tensor::Device;
use decoupled_seg::nn::Size;
use decoupled_seg::weights::NamedClass;
use decoupled_seg_viz::{FlowField, FlowScale, flow_color_wheel};
use image::RgbImage;
use serde::Serialize;
use wasm_bindgen::prelude::*;

use crate::network::scene;
use crate::{Network, Segmentation, Source, View, share_of_classes};

#[wasm_bindgen]
extern "C" {
    /// Tells the page why the program is about to stop; `worker.js` has it.
    #[wasm_bindgen(js_namespace = globalThis, js_name = reportPanic)]
    fn report_panic(message: &str);
}

#[wasm_bindgen(start)]
fn start() {
    std::panic::set_hook(Box::new(|panic| report_panic(&panic.to_string())));
}

/// A network on the CPU and, once asked for, on the GPU.
#[wasm_bindgen]
pub struct Session {
    cpu: Rc<Network>,
    gpu: RefCell<Option<Rc<Network>>>,
}

/// What the page says about a network, as JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Description<'a> {
    classes: &'a [NamedClass],
    parameters: u64,
    least_side: usize,
    /// The network's name, if it was guessed.
    guess: Option<&'static str>,
}

#[wasm_bindgen]
impl Session {
    /// Reads a `.safetensors` file; `name` is for messages.
    #[wasm_bindgen(constructor)]
    pub fn new(name: &str, bytes: Vec<u8>) -> Result<Session, JsError> {
        Ok(Self {
            cpu: Rc::new(Network::read(name, bytes)?),
            gpu: RefCell::new(None),
        })
    }

    /// Classes, size and least picture of the network, as JSON.
    pub fn describe(&self) -> String {
        let description = Description {
            classes: &self.cpu.description.classes,
            parameters: self.cpu.parameters(),
            least_side: self.cpu.least_side(),
            guess: match self.cpu.source {
                Source::File => None,
                Source::Guess(title) => Some(title),
            },
        };
        serde_json::to_string(&description).expect("plain data")
    }

    /// Multiplications with an addition each, for a picture of this size.
    pub fn macs(&self, width: usize, height: usize) -> f64 {
        self.cpu.macs(Size::new(height, width)) as f64
    }

    /// Puts the network on the GPU, and compares it with the one on the CPU.
    #[wasm_bindgen(js_name = prepareGpu)]
    pub async fn prepare_gpu(&self) -> Result<(), JsError> {
        if self.gpu.borrow().is_some() {
            return Ok(());
        }
        let network = self.cpu.on(&gpu().await?);
        self.cpu.compare(&network, "WebGPU").await?;
        *self.gpu.borrow_mut() = Some(Rc::new(network));
        Ok(())
    }

    /// Segments a picture of `[height, width, 4]` bytes.
    pub async fn segment(
        &self,
        rgba: Vec<u8>,
        width: u32,
        height: u32,
        on_gpu: bool,
    ) -> Result<Shown, JsError> {
        let network = match (on_gpu, &*self.gpu.borrow()) {
            (true, Some(gpu)) => gpu.clone(),
            _ => self.cpu.clone(),
        };
        let segmentation = network
            .segment(&without_alpha(&rgba, width, height))
            .await?;
        Ok(Shown {
            segmentation,
            network,
        })
    }
}

#[cfg(feature = "webgpu")]
async fn gpu() -> Result<Device, JsError> {
    thread_local! {
        // It can be made once only.
        static GPU: RefCell<Option<Device>> = const { RefCell::new(None) };
    }
    if let Some(device) = GPU.with_borrow(Option::clone) {
        return Ok(device);
    }
    let device = Device::wgpu_options().init_async().await?;
    GPU.set(Some(device.clone()));
    Ok(device)
}

#[cfg(not(feature = "webgpu"))]
async fn gpu() -> Result<Device, JsError> {
    Err(JsError::new("this page was built for the CPU alone"))
}

/// What a network says about one picture.
#[wasm_bindgen]
pub struct Shown {
    segmentation: Segmentation,
    network: Rc<Network>,
}

#[wasm_bindgen]
impl Shown {
    /// The class of each pixel.
    pub fn labels(&self) -> Vec<u8> {
        self.segmentation.labels.clone()
    }

    /// The class of each pixel as the body alone sees it.
    pub fn body(&self) -> Option<Vec<u8>> {
        self.segmentation.body.clone()
    }

    /// The probability of the class of each pixel.
    pub fn confidence(&self) -> Vec<f32> {
        self.segmentation.confidence.clone()
    }

    /// The probability of an edge at each pixel.
    pub fn edge(&self) -> Option<Vec<f32>> {
        self.segmentation.edge.clone()
    }

    /// The logits, `[classes, height, width]`.
    pub fn logits(&self) -> Vec<f32> {
        self.segmentation.logits.clone()
    }

    /// The share of each class, in `0..=1`.
    pub fn shares(&self) -> Vec<f64> {
        let classes = self.network.description.classes.len();
        share_of_classes(&self.segmentation.labels, classes)
    }

    /// A view by its name; none if the network predicts no such thing.
    pub fn draw(&self, view: &str) -> Option<Drawn> {
        let view = View::named(view)?;
        let classes = &self.network.description.classes;
        view.draw(&self.segmentation, classes).map(Drawn)
    }
}

/// A picture for a canvas.
#[wasm_bindgen]
pub struct Drawn(RgbImage);

#[wasm_bindgen]
impl Drawn {
    /// Width in pixels.
    #[wasm_bindgen(getter)]
    pub fn width(&self) -> u32 {
        self.0.width()
    }

    /// Height in pixels.
    #[wasm_bindgen(getter)]
    pub fn height(&self) -> u32 {
        self.0.height()
    }

    /// Bytes, `[height, width, 4]`.
    pub fn rgba(&self) -> Vec<u8> {
        let pixels = self.0.pixels();
        pixels
            .flat_map(|pixel| [pixel[0], pixel[1], pixel[2], 255])
            .collect()
    }
}

/// A drawn street scene.
#[wasm_bindgen(js_name = drawScene)]
pub fn draw_scene(index: usize, width: usize, height: usize) -> Drawn {
    Drawn(scene(index, Size::new(height, width)))
}

/// The colours of the flow in all directions, as far as a circle reaches; the rest is white.
#[wasm_bindgen(js_name = drawWheel)]
pub fn draw_wheel(side: usize) -> Drawn {
    let center = (side as f32 - 1.0) / 2.0;
    let component = |horizontal: bool| {
        (0..side * side).map(move |at| {
            let (x, y) = ((at % side) as f32 - center, (at / side) as f32 - center);
            let inside = x.hypot(y) <= center;
            match (inside, horizontal) {
                (false, _) => 0.0,
                (true, true) => x,
                (true, false) => y,
            }
        })
    };
    let data = component(true).chain(component(false)).collect();
    let field = FlowField::new(data, Size::square(side));
    Drawn(flow_color_wheel(&field, FlowScale::MaxRadius(center)))
}

fn without_alpha(rgba: &[u8], width: u32, height: u32) -> RgbImage {
    let pixels = rgba.chunks_exact(4);
    let bytes = pixels
        .flat_map(|pixel| [pixel[0], pixel[1], pixel[2]])
        .collect();
    RgbImage::from_raw(width, height, bytes).expect("four bytes a pixel")
}
